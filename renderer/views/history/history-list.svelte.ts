// Which results the history lists: filters, the ids they leave, unfolded stacks, the selection and the place of the keyboard.
// It outlives the view, so that coming back finds everything as it was.
import { SvelteSet } from "svelte/reactivity";
import type { HistoryFacets, HistoryFilter } from "../../../contract/channels/history.ts";
import type { JobState } from "../../../contract/job.ts";
import { request } from "../../bridge.ts";
import { connection } from "../../state/connection.svelte.ts";
import { results } from "../../state/results.svelte.ts";
import { session } from "../../state/session.svelte.ts";

export const dateChoices = ["any", "today", "week", "month", "year"] as const;
export type DateChoice = (typeof dateChoices)[number];
export const endedStates = ["done", "failed", "cancelled"] as const satisfies readonly JobState[];

/** What the filter bar holds; "" stands for all of them. */
export interface ListChoices {
  words: string;
  state: (typeof endedStates)[number] | "";
  model: string;
  /** "832x480" */
  size: string;
  date: DateChoice;
  favourites: boolean;
  stacked: boolean;
  trash: boolean;
}

const noChoices: ListChoices = {
  words: "",
  state: "",
  model: "",
  size: "",
  date: "any",
  favourites: false,
  stacked: true,
  trash: false,
};

const sessionKey = "history.list";
/** After the last keystroke, milliseconds. */
const searchDelay = 150;
const day = 24 * 60 * 60 * 1000;

class HistoryList {
  #choices = $state.raw<ListChoices>(noChoices);
  #found = $state.raw<readonly number[]>([]);
  #unfolded = $state.raw<ReadonlyMap<number, readonly number[]>>(new Map());
  #facets = $state.raw<HistoryFacets | null>(null);
  #error = $state.raw<unknown>(null);
  #loaded = $state(false);
  #focused = $state(0);
  readonly selection = new SvelteSet<number>();
  #anchor: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #latest: Promise<void> = Promise.resolve();
  /** What was kept is here, or something was chosen instead. */
  #restored = false;
  /** The first id in sight when the list was left. */
  top: number | null = null;

  readonly ids = $derived.by(() => this.#withVariants());

  get choices(): ListChoices {
    return this.#choices;
  }

  /** Counts for the filters; null until the studio has answered. */
  get facets(): HistoryFacets | null {
    return this.#facets;
  }

  get error(): unknown {
    return this.#error;
  }

  /** False until the first answer. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** True where any filter leaves something out. */
  get filtered(): boolean {
    const { stacked: _stacked, trash: _trash, ...choices } = this.#choices;
    return Object.entries(choices).some(([key, value]) => value !== noChoices[key as keyof typeof choices]);
  }

  /** The id the keyboard is at; null in an empty list. */
  get focused(): number | null {
    return this.ids[Math.min(this.#focused, this.ids.length - 1)] ?? null;
  }

  get focusedIndex(): number {
    return Math.max(0, Math.min(this.#focused, this.ids.length - 1));
  }

  /** Follows the studio while a view shows the list. Returns the way to stop. */
  start(): () => void {
    const stops = [
      connection.onRefresh(() => void this.refresh()),
      connection.on("history:changed", () => void this.refresh()),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  choose(change: Partial<ListChoices>): void {
    this.#choices = { ...this.#choices, ...change };
    this.#restored = true;
    this.#focused = 0;
    this.top = null;
    this.#unfolded = new Map();
    this.selectNone();
    session.keepView(sessionKey, this.#choices);
    clearTimeout(this.#timer);
    if ("words" in change) this.#timer = setTimeout(() => void this.refresh(), searchDelay);
    else void this.refresh();
  }

  clearFilters(): void {
    const { stacked, trash } = this.#choices;
    this.choose({ ...noChoices, stacked, trash });
  }

  /** Asks again; later answers win. Resolves once the latest one is there, also where another question overtook this one. */
  refresh(): Promise<void> {
    clearTimeout(this.#timer);
    this.#latest = this.#ask(++this.#asked);
    return this.#latest;
  }

  /** The ids around one in the list, for going from result to result. */
  neighbours(id: number): { newer: number | null; older: number | null } {
    const at = this.ids.indexOf(id);
    if (at < 0) return { newer: null, older: null };
    return { newer: this.ids[at - 1] ?? null, older: this.ids[at + 1] ?? null };
  }

  isUnfolded(id: number): boolean {
    return this.#unfolded.has(id);
  }

  /** True for a variant that is shown because its stack is unfolded. */
  isVariant(id: number): boolean {
    for (const variants of this.#unfolded.values()) if (variants.includes(id)) return true;
    return false;
  }

  /** Shows or hides the other variants of a stack, behind the one that stands for it. */
  async toggleStack(id: number): Promise<void> {
    const unfolded = new Map(this.#unfolded);
    if (unfolded.delete(id)) {
      const focused = this.focused;
      this.#unfolded = unfolded;
      this.#keepPlace(focused);
      return;
    }
    try {
      this.#unfolded = new Map(this.#unfolded).set(id, await this.#variantsOf(id));
    } catch (error) {
      this.#error = error;
    }
  }

  focus(id: number): void {
    const at = this.ids.indexOf(id);
    if (at >= 0) this.#focused = at;
  }

  /** Moves the keyboard's place; with `extend`, the selection grows to it. Gives the new index. */
  move(by: number, extend: boolean): number {
    const last = this.ids.length - 1;
    const from = this.focusedIndex;
    this.#focused = Math.max(0, Math.min(last, from + by));
    if (extend) {
      this.#anchor ??= this.ids[from] ?? null;
      this.#selectFromAnchor(this.#focused);
    }
    return this.#focused;
  }

  toggle(id: number): void {
    if (!this.selection.delete(id)) this.selection.add(id);
    this.#anchor = id;
  }

  /** Everything between the last one selected and this one. */
  extendTo(id: number): void {
    this.#anchor ??= this.focused;
    this.#selectFromAnchor(this.ids.indexOf(id));
  }

  selectAll(): void {
    for (const id of this.ids) this.selection.add(id);
  }

  selectNone(): void {
    this.selection.clear();
    this.#anchor = null;
  }

  /** As at the first start: for tests. */
  reset(): void {
    this.#choices = noChoices;
    this.#found = [];
    this.#unfolded = new Map();
    this.#facets = null;
    this.#loaded = false;
    this.#focused = 0;
    this.top = null;
    this.#restored = false;
    this.selectNone();
    results.forget();
  }

  async #ask(asked: number): Promise<void> {
    await this.#restore();
    if (asked !== this.#asked) return this.#latest;
    try {
      const unfolded = [...this.#unfolded.keys()];
      const [{ ids }, facets, variants] = await Promise.all([
        request("history:find", { filter: this.#filter() }),
        request("history:facets", {}),
        Promise.all(unfolded.map(async (id) => [id, await this.#variantsOf(id)] as const)),
      ]);
      if (asked !== this.#asked) return await this.#latest;
      const focused = this.focused;
      this.#found = ids;
      this.#keepUnfolded(new Map(variants));
      this.#facets = facets;
      this.#error = null;
      this.#loaded = true;
      this.#keepPlace(focused);
    } catch (error) {
      if (asked !== this.#asked) return await this.#latest;
      this.#error = error;
      this.#loaded = true;
    }
  }

  /** The others of a stack, as far as the filters leave them. */
  async #variantsOf(id: number): Promise<readonly number[]> {
    const filter: HistoryFilter = { ...this.#filter(), stackOf: id, stacked: false };
    const { ids } = await request("history:find", { filter });
    return ids.filter((variant) => variant !== id);
  }

  /** Stacks whose first one is still found stay unfolded, with what they hold now; folded or unfolded meanwhile counts. */
  #keepUnfolded(variants: ReadonlyMap<number, readonly number[]>): void {
    const found = new Set(this.#found);
    const kept = [...this.#unfolded].filter(([id]) => found.has(id));
    this.#unfolded = new Map(kept.map(([id, before]) => [id, variants.get(id) ?? before]));
  }

  /** New results come in front; the keyboard stays at its own, and nothing that is gone stays selected. */
  #keepPlace(focused: number | null): void {
    const present = new Set(this.ids);
    for (const id of this.selection) if (!present.has(id)) this.selection.delete(id);
    if (this.#anchor !== null && !present.has(this.#anchor)) this.#anchor = null;
    if (focused !== null && present.has(focused)) this.#focused = this.ids.indexOf(focused);
  }

  #selectFromAnchor(to: number): void {
    const from = this.#anchor === null ? to : this.ids.indexOf(this.#anchor);
    if (to < 0 || from < 0) return;
    this.selection.clear();
    for (let at = Math.min(from, to); at <= Math.max(from, to); at++) this.selection.add(this.ids[at]!);
  }

  #withVariants(): readonly number[] {
    if (this.#unfolded.size === 0) return this.#found;
    return this.#found.flatMap((id) => [id, ...(this.#unfolded.get(id) ?? [])]);
  }

  #filter(): HistoryFilter {
    const { words, state, model, size, date, favourites, stacked, trash } = this.#choices;
    const [width, height] = size.split("x").map(Number);
    return {
      states: state === "" ? endedStates : [state],
      ...(words.trim() === "" ? {} : { words }),
      ...(model === "" ? {} : { model }),
      ...(width && height ? { width, height } : {}),
      ...(date === "any" ? {} : { from: beginningOf(date) }),
      ...(favourites ? { favourite: true } : {}),
      ...(trash ? { deleted: true } : { stacked }),
    };
  }

  /** What the last window kept, as far as it still makes sense, before anything is asked for. What was chosen here before
   * it could be read wins. */
  async #restore(): Promise<void> {
    const read = this.#restored || (await session.load());
    if (this.#restored || !read) return;
    this.#restored = true;
    const kept = session.view<Partial<ListChoices>>(sessionKey, {});
    const choices = Object.entries(noChoices).map(([key, value]) => {
      const was = kept[key as keyof ListChoices];
      return [key, typeof was === typeof value ? was : value];
    });
    this.#choices = { ...(Object.fromEntries(choices) as ListChoices), words: "", trash: false };
  }
}

/** Milliseconds since 1970. */
function beginningOf(date: Exclude<DateChoice, "any">): number {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (date === "today") return midnight;
  return midnight - { week: 6, month: 29, year: 364 }[date] * day;
}

export const historyList = new HistoryList();
