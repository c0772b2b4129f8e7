// The form: what the user set, what it comes to (asked of the studio after every change), undo, and the session that keeps
// it between starts. Which fields are shown and how is the Generate view's.
import type { Draft, DraftCheck } from "../../contract/channels/generate.ts";
import type { SettingId, Settings } from "../../contract/settings/derive.ts";
import { request } from "../bridge.ts";
import { connection } from "./connection.svelte.ts";
import { session } from "./session.svelte.ts";

type Values = Partial<Settings>;
type Picture = NonNullable<Draft["image"]>;

interface Snapshot {
  readonly values: Values;
  readonly presetId: string | null;
  readonly picture: Picture | null;
}

/** Wait after a keystroke before the studio is asked, in milliseconds. */
const checkDelay = 120;
const undoDepth = 100;
/** Changes of one field within this time are one step of undo (typing, dragging). Milliseconds. */
const sameChange = 1500;

class Form {
  #values = $state.raw<Values>({});
  #presetId = $state<string | null>(null);
  #picture = $state.raw<Picture | null>(null);
  #check = $state.raw<DraftCheck | null>(null);
  #checkFailed = $state(false);
  #undo = $state.raw<readonly Snapshot[]>([]);
  #lastChange: { id: SettingId; at: number } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  /** What the user set; everything else is inherited. */
  get values(): Values {
    return this.#values;
  }

  /** The preset applied last, also after values were changed since. */
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

  get canUndo(): boolean {
    return this.#undo.length > 0;
  }

  /** What is sent: only what the user set. */
  get draft(): Draft {
    return { values: this.#values, ...(this.#picture === null ? {} : { image: this.#picture }) };
  }

  /** The value in force: the user's own, else the inherited one. Undefined until the studio has answered. */
  value<Id extends SettingId>(id: Id): Settings[Id] | undefined {
    if (id in this.#values) return this.#values[id];
    return this.#check?.inherited[id];
  }

  /** True where the user set it. */
  isSet(id: SettingId): boolean {
    return id in this.#values;
  }

  /** Takes up the last session and follows the studio; called once. Returns the way to stop. */
  start(): () => void {
    const stops = [
      connection.onRefresh(() => void this.#restore()),
      // What is inherited and what fits may be different now.
      connection.on("models:changed", () => this.#ask()),
      connection.on("presets:changed", () => this.#ask()),
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

  /** Everything at once: a preset, the settings of a result, a new form. One step of undo. */
  replace(values: Values, presetId: string | null = null, picture: Picture | null = this.#picture): void {
    this.#remember();
    this.#values = { ...values };
    this.#presetId = presetId;
    this.#picture = picture;
    this.#changed();
  }

  /** Values on top of what is set: a fix of the plan, a preset with some settings. One step of undo. */
  merge(values: Values, presetId: string | null = this.#presetId): void {
    this.replace({ ...this.#values, ...values }, presetId);
  }

  setPicture(picture: Picture | null): void {
    this.#remember();
    this.#picture = picture;
    this.#changed();
  }

  undo(): void {
    const last = this.#undo.at(-1);
    if (!last) return;
    this.#undo = this.#undo.slice(0, -1);
    this.#lastChange = null;
    this.#values = last.values;
    this.#presetId = last.presetId;
    this.#picture = last.picture;
    this.#changed();
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
    const snapshot = { values: this.#values, presetId: this.#presetId, picture: this.#picture };
    this.#undo = [...this.#undo, snapshot].slice(-undoDepth);
  }

  #changed(): void {
    session.keep({ values: this.#values, presetId: this.#presetId });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), checkDelay);
  }

  /** Later answers win; an answer to older values is dropped. */
  #ask(): void {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    void request("generate:check", { draft: this.draft }).then(
      (check) => {
        if (asked !== this.#asked) return;
        this.#check = check;
        this.#checkFailed = false;
      },
      () => {
        if (asked === this.#asked) this.#checkFailed = true;
      },
    );
  }

  /** What was typed here outlives a reconnection; only the first answer fills the form. */
  async #restore(): Promise<void> {
    if (await session.load()) {
      this.#values = { ...session.values };
      this.#presetId = session.presetId;
    }
    this.#ask();
  }
}

function without(values: Values, ids: readonly SettingId[]): Values {
  return Object.fromEntries(Object.entries(values).filter(([id]) => !ids.includes(id as SettingId)));
}

/** The one form of this window. */
export const form = new Form();
