// The form: what the user set, what it comes to (asked of the studio after every change), undo, and the session that keeps
// it between starts. Which fields are shown and how is the Generate view's; values of a result become a form's in
// use-settings.ts.
import type { Draft, DraftCheck } from "../../contract/channels/generate.ts";
import type { PresetEntry } from "../../contract/channels/presets.ts";
import { differences, type SettingDifference, type SettingId, type Settings } from "../../contract/settings/derive.ts";
import { request } from "../bridge.ts";
import { connection } from "./connection.svelte.ts";
import { session } from "./session.svelte.ts";

type Values = Partial<Settings>;
export type Picture = NonNullable<Draft["image"]>;

export interface Snapshot {
  readonly values: Values;
  readonly presetId: string | null;
  readonly picture: Picture | null;
}

/** Where many values came from at once. */
export type ChangeOrigin =
  | { readonly kind: "preset"; readonly name: string }
  | { readonly kind: "noPreset" }
  | { readonly kind: "result"; readonly jobId: number }
  | { readonly kind: "video"; readonly fileName: string }
  | { readonly kind: "fix" }
  | { readonly kind: "new" };

/** What such a change did, for the note above the form. */
export interface AppliedChange {
  readonly origin: ChangeOrigin;
  /** What runs now instead of what would have run before. */
  readonly changes: readonly SettingDifference[];
  /** What could not be taken over, one sentence each. */
  readonly notes: readonly string[];
  /** The values began with a picture that is not here: another one is to be chosen. */
  readonly pictureMissing: boolean;
}

/** Wait after a keystroke before the studio is asked, in milliseconds. */
const checkDelay = 120;
const undoDepth = 100;
/** Changes of one field within this time are one step of undo (typing, dragging). Milliseconds. */
const sameChange = 1500;
const pictureKey = "generate.picture";

class Form {
  #values = $state.raw<Values>({});
  #presetId = $state<string | null>(null);
  #picture = $state.raw<Picture | null>(null);
  #check = $state.raw<DraftCheck | null>(null);
  #checkFailed = $state(false);
  #checking = $state(false);
  #applied = $state.raw<AppliedChange | null>(null);
  #undo = $state.raw<readonly Snapshot[]>([]);
  /** The user's own draft while another job's is in the form. */
  #aside = $state.raw<Snapshot | null>(null);
  #keptPicture: Picture | null = null;
  #lastChange: { id: SettingId; at: number } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #latest: Promise<void> = Promise.resolve();
  #restored = false;

  /** What the user set; everything else is inherited. */
  get values(): Values {
    return this.#values;
  }

  /** The preset whose values lie beneath the user's. */
  get presetId(): string | null {
    return this.#presetId;
  }

  /** The picture for Image to Video. */
  get picture(): Picture | null {
    return this.#picture;
  }

  /** What the draft comes to; null until the studio has answered. Up to a moment older than `values`. */
  get check(): DraftCheck | null {
    return this.#check;
  }

  /** The studio could not be asked for the latest values. */
  get checkFailed(): boolean {
    return this.#checkFailed;
  }

  /** True while `check` belongs to values before the present ones. */
  get checking(): boolean {
    return this.#checking;
  }

  /** The latest change of many values at once, until it is dismissed, undone or followed by another. */
  get applied(): AppliedChange | null {
    return this.#applied;
  }

  get canUndo(): boolean {
    return this.#undo.length > 0;
  }

  /** All that can be borrowed or replaced, as it is now. */
  get snapshot(): Snapshot {
    return { values: this.#values, presetId: this.#presetId, picture: this.#picture };
  }

  /** What is sent: only what the user set. */
  get draft(): Draft {
    return {
      values: this.#values,
      ...(this.#presetId === null ? {} : { presetId: this.#presetId }),
      ...(this.#picture === null || this.value("mode") !== "i2v" ? {} : { image: this.#picture }),
    };
  }

  /** The value in force: the user's own, else the inherited one. Undefined until the studio has answered. */
  value<Id extends SettingId>(id: Id): Settings[Id] | undefined {
    if (id in this.#values) return this.#values[id];
    return this.#check?.inherited[id];
  }

  /** The model it would run with: the chosen one, or what "auto" comes to. */
  get model(): string {
    const chosen = this.value("model") ?? "auto";
    return chosen === "auto" ? (this.#check?.automatic.model ?? chosen) : chosen;
  }

  /** True where the user set it. */
  isSet(id: SettingId): boolean {
    return id in this.#values;
  }

  /** True where the user set it to something else than what is inherited. */
  isChanged(id: SettingId): boolean {
    const inherited = this.#check?.inherited[id];
    return id in this.#values && JSON.stringify(this.#values[id]) !== JSON.stringify(inherited);
  }

  /** Takes up the last session and follows the studio; called once. Returns the way to stop. */
  start(): () => void {
    const stops = [
      connection.onRefresh(() => void this.#restore()),
      // What is inherited and what fits may be different now.
      connection.on("models:changed", () => void this.#ask()),
      connection.on("presets:changed", () => void this.#ask()),
      connection.on("queue:changed", () => this.#askSoon()),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  set<Id extends SettingId>(id: Id, value: Settings[Id]): void {
    if (id in this.#values && this.#values[id] === value) return;
    this.#write(id, { ...this.#values, [id]: value });
  }

  /** The size is one thing: a width or height set apart would overrule the resolution. */
  setSize(resolution: string, aspectRatio: Settings["aspectRatio"]): void {
    this.#write("resolution", { ...without(this.#values, ["width", "height"]), resolution, aspectRatio });
  }

  /** Back to what is inherited. */
  reset(...ids: SettingId[]): void {
    if (!ids.some((id) => id in this.#values)) return;
    this.#remember();
    this.#values = without(this.#values, ids);
    this.#changed();
  }

  /** Makes a change and gives the way back of it alone: what was changed otherwise since then stays. */
  undoably(change: () => void): () => void {
    const draft = this.#aside;
    const before = this.#values;
    change();
    const after = this.#values;
    const changed = differences(before, after).map(({ id }) => id);
    return () => {
      // Another job's values may be in the form by now.
      if (draft !== this.#aside) return;
      const since = differences(after, this.#values).map(({ id }) => id);
      const ids = changed.filter((id) => !since.includes(id));
      if (ids.length === 0) return;
      this.#remember();
      this.#values = { ...without(this.#values, ids), ...only(before, ids) };
      this.#changed();
    };
  }

  /** Everything at once: a new form. One step of undo. */
  replace(values: Values, presetId: string | null = null, picture: Picture | null = this.#picture): void {
    this.#remember();
    this.#values = { ...values };
    this.#presetId = presetId;
    this.#picture = picture;
    this.#changed();
  }

  /** Values on top of what is set. One step of undo. */
  merge(values: Values, presetId: string | null = this.#presetId): void {
    this.replace({ ...this.#values, ...values }, presetId);
  }

  /** As `replace`, and says what became different (`applied`). Resolves once the studio has answered. */
  async apply(
    origin: ChangeOrigin,
    next: {
      values: Values;
      presetId?: string | null;
      picture?: Picture | null;
      pictureMissing?: boolean;
      notes?: readonly string[];
    },
  ): Promise<AppliedChange> {
    // What was typed a moment ago is not in the answer yet.
    const before = { ...this.#check?.settings, ...(this.#checking || !this.#check ? this.#values : {}) };
    this.replace(next.values, next.presetId ?? null, next.picture === undefined ? this.#picture : next.picture);
    await this.#ask();
    const after = this.#check?.settings ?? this.#values;
    const { notes = [], pictureMissing = false } = next;
    this.#applied = { origin, changes: differences(before, after), notes, pictureMissing };
    return this.#applied;
  }

  /** Puts a preset beneath the form: what it holds wins over what the user had set of the same, the rest stays. null takes
   * the present one away. */
  applyPreset(preset: Pick<PresetEntry, "id" | "name" | "settings"> | null): Promise<AppliedChange> {
    if (preset === null) return this.apply({ kind: "noPreset" }, { values: this.#values });
    const values = without(this.#values, Object.keys(preset.settings) as SettingId[]);
    return this.apply({ kind: "preset", name: preset.name }, { values, presetId: preset.id });
  }

  /** A saved preset now holds these values: they are no longer the form's own. `beneath`: what the preset before it held,
   * which holds on. */
  adoptPreset(preset: Pick<PresetEntry, "id" | "settings">, beneath: Values = {}): void {
    const values = { ...beneath, ...this.#values };
    this.replace(without(values, Object.keys(preset.settings) as SettingId[]), preset.id);
  }

  dismissApplied(): void {
    this.#applied = null;
  }

  setPicture(picture: Picture | null): void {
    this.#remember();
    this.#picture = picture;
    this.#values = { ...this.#values, ...(picture === null ? {} : { mode: "i2v" as const }) };
    this.#changed();
  }

  undo(): void {
    const last = this.#undo.at(-1);
    if (!last) return;
    this.#undo = this.#undo.slice(0, -1);
    this.#take(last);
    this.#changed();
  }

  /** Puts another job's values into the form; the user's own come back with `putBack`, also after the page was lost. */
  borrow(values: Values, picture: Picture | null, presetId: string | null = null): void {
    this.#aside ??= this.snapshot;
    this.#undo = [];
    this.#take({ values, presetId, picture });
    this.#changed();
  }

  /** Ends what `borrow` began. */
  putBack(): void {
    if (this.#aside === null) return;
    const own = this.#aside;
    this.#aside = null;
    this.#undo = [];
    this.#take(own);
    this.#changed();
  }

  #take({ values, presetId, picture }: Snapshot): void {
    this.#lastChange = null;
    this.#values = values;
    this.#presetId = presetId;
    this.#picture = picture;
  }

  #write(id: SettingId, values: Values): void {
    const now = Date.now();
    const continued = this.#lastChange?.id === id && now - this.#lastChange.at < sameChange;
    if (!continued) this.#remember();
    this.#lastChange = { id, at: now };
    this.#values = values;
    this.#changed();
  }

  #remember(): void {
    this.#lastChange = null;
    this.#undo = [...this.#undo, this.snapshot].slice(-undoDepth);
  }

  #changed(): void {
    this.#applied = null;
    this.#checking = true;
    if (this.#aside === null) {
      session.keep({ values: this.#values, presetId: this.#presetId });
      if (this.#picture !== this.#keptPicture) session.keepView(pictureKey, this.#picture);
      this.#keptPicture = this.#picture;
    }
    this.#askSoon();
  }

  #askSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), checkDelay);
  }

  /** Later answers win; an answer to older values is dropped. Resolves when the latest one has come, also where another
   * question overtook this one: who waits compares with what is asked last. */
  #ask(): Promise<void> {
    clearTimeout(this.#timer);
    this.#latest = this.#answer(++this.#asked);
    return this.#latest;
  }

  async #answer(asked: number): Promise<void> {
    try {
      const check = await request("generate:check", { draft: this.draft });
      if (asked !== this.#asked) return this.#latest;
      this.#check = check;
      this.#checkFailed = false;
    } catch {
      if (asked !== this.#asked) return this.#latest;
      this.#checkFailed = true;
    }
    this.#checking = false;
  }

  /** What was typed here outlives a reconnection; only the first answer fills the form. */
  async #restore(): Promise<void> {
    if ((await session.load()) && !this.#restored) {
      this.#restored = true;
      const own = { values: { ...session.values }, presetId: session.presetId, picture: storedPicture() };
      this.#keptPicture = own.picture;
      if (this.#aside === null) this.#take(own);
      else this.#aside = own;
    }
    await this.#ask();
  }
}

function storedPicture(): Picture | null {
  const kept = session.view<Record<string, unknown>>(pictureKey, {});
  if (typeof kept["path"] === "string") return { path: kept["path"] };
  return typeof kept["uploadId"] === "string" ? { uploadId: kept["uploadId"] } : null;
}

function without(values: Values, ids: readonly SettingId[]): Values {
  return Object.fromEntries(Object.entries(values).filter(([id]) => !ids.includes(id as SettingId)));
}

function only(values: Values, ids: readonly SettingId[]): Values {
  return Object.fromEntries(Object.entries(values).filter(([id]) => ids.includes(id as SettingId)));
}

/** The one form of this window. */
export const form = new Form();
