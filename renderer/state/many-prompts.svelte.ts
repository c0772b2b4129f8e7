// Many prompts at once: a pasted list or a file, what it expands to, what all of it will take, and adding it. The other
// settings are those of the form.
import type { Draft, PlanCard, PromptForm } from "../../contract/channels/generate.ts";
import type { ErrorRecord } from "../../contract/errors.ts";
import { asRushesError } from "../../contract/errors.ts";
import { request } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { form } from "./form.svelte.ts";
import { jobs } from "./jobs.svelte.ts";
import { toasts } from "./toasts.svelte.ts";

/** Wait after a keystroke before the studio is asked, milliseconds. */
const expandDelay = 200;
/** What a list is read as, by its file's ending. */
const forms: Readonly<Record<string, PromptForm>> = { csv: "csv", json: "json", jsonl: "jsonl" };

class ManyPrompts {
  #text = $state("");
  #form = $state<PromptForm>("lines");
  #fileName = $state<string | null>(null);
  #drafts = $state.raw<readonly Draft[]>([]);
  #total = $state(0);
  #problems = $state.raw<readonly string[]>([]);
  #plan = $state.raw<PlanCard | null>(null);
  #refusal = $state.raw<ErrorRecord | null>(null);
  /** Why adding failed: another attempt may do better. */
  #failure = $state.raw<ErrorRecord | null>(null);
  #reading = $state(false);
  #adding = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  get text(): string {
    return this.#text;
  }

  /** The file the list came from; null for what was pasted or typed. */
  get fileName(): string | null {
    return this.#fileName;
  }

  /** What the list comes to, in order. */
  get drafts(): readonly Draft[] {
    return this.#drafts;
  }

  /** How many prompts there would be without the limit. */
  get total(): number {
    return this.#total;
  }

  /** Lines that cannot be used, one sentence each. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Why none of them can run with the form's settings, or why adding them failed just now. */
  get refusal(): ErrorRecord | null {
    return this.#refusal ?? this.#failure;
  }

  /** The list shown belongs to an older text. */
  get reading(): boolean {
    return this.#reading;
  }

  get adding(): boolean {
    return this.#adding;
  }

  /** Videos that adding will make: samples count. */
  get videos(): number {
    const samples = (draft: Draft) => draft.values.numSamples ?? form.value("numSamples") ?? 1;
    return this.#drafts.reduce((sum, draft) => sum + samples(draft), 0);
  }

  /** Seconds for all of them, after the first one's plan; null while nothing is known. */
  get seconds(): number | null {
    return this.#plan === null || this.videos === 0 ? null : this.#plan.seconds * this.videos;
  }

  get canAdd(): boolean {
    return this.#drafts.length > 0 && !this.#reading && !this.#adding && this.#refusal === null;
  }

  write(words: string): void {
    this.#text = words;
    if (words === "") this.#become("lines", null);
    this.#askSoon();
  }

  /** Takes the text of a file; its ending says how it is written. */
  read(fileName: string, content: string): void {
    this.#text = content;
    this.#become(forms[fileName.split(".").at(-1)?.toLowerCase() ?? ""] ?? "txt", fileName);
    this.#askSoon();
  }

  clear(): void {
    this.write("");
  }

  /** Asks again what the list comes to: the form, or what fits, may be different now. */
  refresh(): void {
    if (this.#text !== "") this.#askSoon();
  }

  /** Adds all of them; true where they were accepted. */
  async add(next = false): Promise<boolean> {
    if (!this.canAdd) return false;
    this.#adding = true;
    this.#failure = null;
    try {
      const drafts = this.#drafts.map(withForm);
      const { jobs: added } = await request("queue:add", { drafts, ...(next ? { next } : {}) });
      jobs.refresh();
      toasts.show(text.words.queue.added(added.length), { tone: "good" });
      this.clear();
      return true;
    } catch (error) {
      this.#failure = asRushesError(error).toJSON();
      return false;
    } finally {
      this.#adding = false;
    }
  }

  #become(kind: PromptForm, fileName: string | null): void {
    this.#form = kind;
    this.#fileName = fileName;
  }

  #askSoon(): void {
    ++this.#asked; // an answer still on its way is to older text
    this.#refusal = this.#failure = null;
    this.#reading = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), expandDelay);
  }

  /** Later answers win. */
  async #ask(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const { drafts, total, problems } = await request("generate:expand", { text: this.#text, form: this.#form });
      if (asked !== this.#asked) return;
      [this.#drafts, this.#total, this.#problems] = [drafts, total, problems];
      this.#plan = null;
      const [first] = drafts;
      if (first) {
        const { plan, refusal } = await request("generate:check", { draft: withForm(first) });
        if (asked !== this.#asked) return;
        [this.#plan, this.#refusal] = [plan, refusal];
      }
    } catch (error) {
      if (asked === this.#asked) this.#refusal = asRushesError(error).toJSON();
    } finally {
      if (asked === this.#asked) this.#reading = false;
    }
  }
}

/** A row's own values, its picture among them, over those of the form. */
function withForm({ values }: Draft): Draft {
  const { image, ...draft } = form.draft;
  const own = { ...draft, values: { ...draft.values, ...values } };
  return image && !values.image ? { ...own, image } : own;
}

export const manyPrompts = new ManyPrompts();
