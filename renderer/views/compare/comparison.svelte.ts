// Which results are compared and how: the results themselves, which of them is A and which B, and how their pictures are laid
// upon each other. The address names the results, so that a comparison can be found again.
import type { HistoryDetail } from "../../../contract/channels/history.ts";
import { allSettings, type SettingId, type SettingValue } from "../../../contract/settings/derive.ts";
import { request } from "../../bridge.ts";
import { jobSettings } from "../../state/use-settings.ts";
import { route } from "../../state/route.svelte.ts";

export const compareModes = ["side", "wipe", "difference"] as const;
export type CompareMode = (typeof compareModes)[number];
export const zooms = { fit: null, full: 1, double: 2, quadruple: 4 } as const;
export type Zoom = keyof typeof zooms;
export const gains = [1, 2, 4, 8, 16] as const;

/** More would be too small to see anything. */
export const mostCompared = 6;

export interface SettingRow {
  readonly id: SettingId;
  /** In the order of the results. */
  readonly values: readonly (SettingValue | undefined)[];
}

class Comparison {
  #details = $state.raw<readonly HistoryDetail[]>([]);
  #ids: readonly number[] = [];
  #missing = $state(0);
  #loading = $state(false);
  #a = $state<number | null>(null);
  #b = $state<number | null>(null);
  #asked = 0;
  mode = $state<CompareMode>("side");
  gain = $state<number>(4);
  zoom = $state<Zoom>("fit");
  /** How far the wipe is, 0..1 from the left. */
  wipe = $state(0.5);
  /** Where the middle of the view is in the picture, as a share of its size from its own middle. */
  pan = $state.raw({ x: 0, y: 0 });

  /** The results that are there, in their order. */
  get details(): readonly HistoryDetail[] {
    return this.#details;
  }

  /** How many of those asked for are gone or have no video. */
  get missing(): number {
    return this.#missing;
  }

  get loading(): boolean {
    return this.#loading;
  }

  get a(): HistoryDetail | null {
    return this.#details.find(({ id }) => id === this.#a) ?? this.#details[0] ?? null;
  }

  get b(): HistoryDetail | null {
    const others = this.#details.filter((detail) => detail !== this.a);
    return others.find(({ id }) => id === this.#b) ?? others[0] ?? null;
  }

  /** "A" and "B", then "C", "D", ... in their order. */
  letter(id: number): string {
    if (id === this.a?.id) return "A";
    if (id === this.b?.id) return "B";
    const rest = this.#details.filter((detail) => detail !== this.a && detail !== this.b);
    return String.fromCharCode(67 + rest.findIndex((detail) => detail.id === id));
  }

  /** Settings in which not all results are the same; the others with what they all have. */
  readonly settings = $derived.by(() => {
    const all = this.#details.map((detail) => jobSettings(detail));
    const rows: SettingRow[] = allSettings
      .filter(({ recorded }) => recorded)
      .map(({ id }) => ({ id, values: all.map((each) => each[id]) }));
    const same = ({ values }: SettingRow) => new Set(values.map((value) => JSON.stringify(value))).size <= 1;
    return { different: rows.filter((row) => !same(row)), same: rows.filter(same) };
  });

  /** Shows what the address names; without names, what was compared last. */
  follow(ids: readonly number[]): void {
    const wanted = [...new Set(ids)].slice(0, mostCompared);
    if (wanted.length === 0) {
      if (this.#ids.length > 0) this.#go(this.#ids);
      return;
    }
    if (wanted.join() === this.#ids.join() && this.#details.length > 0) return;
    this.#ids = wanted;
    void this.#load(wanted);
  }

  add(id: number): void {
    this.#go([...this.#details.map((detail) => detail.id), id]);
  }

  remove(id: number): void {
    const left = this.#details.map((detail) => detail.id).filter((other) => other !== id);
    if (left.length === 0) {
      this.clear();
      route.go("compare", "", {}, true);
    } else this.#go(left);
  }

  chooseA(id: number): void {
    const { a, b } = this;
    this.#b = b?.id === id ? (a?.id ?? null) : (b?.id ?? null);
    this.#a = id;
  }

  chooseB(id: number): void {
    const { a, b } = this;
    this.#a = a?.id === id ? (b?.id ?? null) : (a?.id ?? null);
    this.#b = id;
  }

  swap(): void {
    const { a, b } = this;
    if (a && b) [this.#a, this.#b] = [b.id, a.id];
  }

  /** Moves the view over the picture, in shares of its size. */
  panBy(x: number, y: number): void {
    const inside = (value: number) => Math.max(-0.5, Math.min(0.5, value));
    this.pan = { x: inside(this.pan.x + x), y: inside(this.pan.y + y) };
  }

  chooseZoom(zoom: Zoom): void {
    this.zoom = zoom;
    if (zoom === "fit") this.pan = { x: 0, y: 0 };
  }

  clear(): void {
    this.#asked++;
    this.#ids = [];
    this.#details = [];
    this.#missing = 0;
    this.#loading = false;
    [this.#a, this.#b] = [null, null];
  }

  async #load(ids: readonly number[]): Promise<void> {
    const asked = ++this.#asked;
    this.#loading = true;
    const known = new Map(this.#details.map((detail) => [detail.id, detail]));
    const answers = await Promise.all(
      ids.map(
        async (id) => known.get(id) ?? (await request("history:detail", { jobId: id }).catch(() => null))?.detail,
      ),
    );
    if (asked !== this.#asked) return;
    const found = answers.filter((detail) => detail !== undefined).filter((detail) => detail.video !== null);
    this.#details = found;
    this.#missing = ids.length - found.length;
    this.#loading = false;
  }

  #go(ids: readonly number[]): void {
    route.go("compare", "", { ids: ids.join(",") }, true);
    this.follow(ids);
  }
}

export const comparison = new Comparison();
