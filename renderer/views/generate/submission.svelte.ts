// From the form to the queue: whether the draft can run, why not, and sending it once.
import type { Draft } from "../../../contract/channels/generate.ts";
import type { Job } from "../../../contract/job.ts";
import { request } from "../../bridge.ts";
import { connection } from "../../state/connection.svelte.ts";
import { form } from "../../state/form.svelte.ts";
import { jobs } from "../../state/jobs.svelte.ts";
import { toasts } from "../../state/toasts.svelte.ts";
import { text } from "../../text/text.svelte.ts";
import { shownResult } from "./shown-result.svelte.ts";

/** Long enough to be read; beside the button, where nothing is covered by it. */
const toldMilliseconds = 6000;

class Submission {
  #sending = $state(false);
  /** What the last press did, for a moment. */
  #told = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;

  get sending(): boolean {
    return this.#sending;
  }

  /** "Added: next in the queue", for a few seconds after it was. */
  get told(): string {
    return this.#told;
  }

  /** Why the draft cannot run, in one sentence with what to do; null where it can, as far as is known. */
  get reason(): string | null {
    return this.#why?.words ?? null;
  }

  /** The studio's own sentence, where the reason is a translation of less. */
  get exactReason(): string {
    return this.#why?.exact ?? "";
  }

  get #why(): { words: string; exact: string } | null {
    const known = this.#missing;
    if (known !== null) return { words: known, exact: "" };
    const { check } = form;
    // The answer to what was typed just now is on its way: the studio itself has the last word.
    if (check === null || form.checking) return null;
    const problem = check.problems[0];
    if (problem) return text.problem(problem);
    if (!check.refusal) return null;
    const { sentence, advice, exact } = text.error(check.refusal);
    return { words: [sentence, advice].filter((part) => part !== "").join(" "), exact };
  }

  /** What the window itself knows to be missing. */
  get #missing(): string | null {
    const words = text.words.generate;
    if (!connection.connected && connection.wasConnected)
      return connection.refused ? text.words.app.connectionRefused : text.words.app.connectionLost;
    if ((form.value("prompt") ?? "").trim() === "") return words.noPrompt;
    const picture = form.value("mode") === "i2v" && form.picture === null;
    if (picture && (form.checking || !form.check?.refusal)) return words.noPicture;
    return null;
  }

  /** Videos that one press makes. */
  get count(): number {
    return form.value("numSamples") ?? 1;
  }

  /** True where a press adds behind others. */
  get waits(): boolean {
    return jobs.count > 0 || (jobs.queue?.paused ?? false);
  }

  /** Sends the form. Nothing happens while one is under way or the draft cannot run. */
  async send(options: { next?: boolean } = {}): Promise<void> {
    if (this.#sending || this.reason !== null) return;
    await this.sendDraft(form.draft, options);
  }

  /** Sends any draft; what is refused is said. */
  async sendDraft(draft: Draft, { next = false } = {}): Promise<Job[]> {
    this.#sending = true;
    const waited = this.waits;
    try {
      const { jobs: added } = await request("queue:add", { drafts: [draft], ...(next ? { next } : {}) });
      jobs.refresh();
      const first = added[0];
      if (!waited && first) shownResult.await(first.id);
      else if (waited) this.#tell(added.length, next);
      return added;
    } catch (error) {
      toasts.error(error);
      return [];
    } finally {
      this.#sending = false;
    }
  }

  #tell(count: number, next: boolean): void {
    const words = text.words.generate;
    const place = next ? 1 : jobs.waiting.length + 1;
    this.#told = count > 1 ? words.queuedMany(count) : words.queuedAt(place);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#told = ""), toldMilliseconds);
  }
}

export const submission = new Submission();
