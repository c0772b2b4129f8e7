// What is known of results: the cards of those in sight, asked for as they come into sight, and what is done to them from
// any view. Which results a view lists is the view's own.
import { SvelteMap } from "svelte/reactivity";
import type { HistoryCard } from "../../contract/channels/history.ts";
import { request } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { connection } from "./connection.svelte.ts";
import { toasts } from "./toasts.svelte.ts";

/** Cards of one request: small, so that what was scrolled past costs little. */
const atOnce = 120;
/** Cards that are kept; beyond that the ones longest out of sight are forgotten. */
const keptCards = 3000;

class Results {
  readonly #cards = new SvelteMap<number, HistoryCard>();
  readonly #gone = new Set<number>();
  readonly #stale = new Set<number>();
  readonly #wanted = new Map<string, readonly number[]>();
  #asking = false;
  #follows = false;

  /** What a card shows; undefined until it was asked for (look). */
  card(id: number): HistoryCard | undefined {
    return this.#cards.get(id);
  }

  /** Says what a view shows now; only that is asked for. `view` is any name of its own. */
  look(view: string, ids: readonly number[]): void {
    this.#follow();
    this.#wanted.set(view, ids);
    void this.#ask();
  }

  lookAway(view: string): void {
    this.#wanted.delete(view);
  }

  /** Shows the mark at once; takes it back where the studio refuses. */
  async favourite(ids: readonly number[], favourite: boolean): Promise<boolean> {
    this.#mark(ids, favourite);
    try {
      await request("history:favourite", { jobIds: [...ids], favourite });
      return true;
    } catch (error) {
      this.#mark(ids, !favourite);
      toasts.error(error);
      return false;
    }
  }

  /** Into the trash, with Undo. Gives the ids that went. */
  async remove(ids: readonly number[]): Promise<number[]> {
    const words = text.words.history;
    try {
      const { jobIds } = await request("history:delete", { jobIds: [...ids] });
      if (jobIds.length === 0) return [];
      const toast = toasts.undoable(words.deleted(jobIds.length), () => {
        toasts.dismiss(toast);
        void this.restore(jobIds);
      });
      if (jobIds.length < ids.length) toasts.show(words.someKept(ids.length - jobIds.length));
      return jobIds;
    } catch (error) {
      toasts.error(error);
      return [];
    }
  }

  async restore(ids: readonly number[]): Promise<void> {
    try {
      await request("history:restore", { jobIds: [...ids] });
      toasts.show(text.words.history.restored(ids.length), { tone: "good" });
    } catch (error) {
      toasts.error(error);
    }
  }

  /** Removes deleted results for good. */
  async purge(ids: readonly number[]): Promise<void> {
    try {
      await request("history:purge", { jobIds: [...ids] });
      toasts.show(text.words.history.removed(ids.length));
    } catch (error) {
      toasts.error(error);
    }
  }

  /** Forgets every card: for tests, where one page sees many libraries. */
  forget(): void {
    this.#cards.clear();
    this.#gone.clear();
    this.#stale.clear();
    this.#wanted.clear();
  }

  #mark(ids: readonly number[], favourite: boolean): void {
    for (const id of ids) {
      const card = this.#cards.get(id);
      if (card) this.#cards.set(id, { ...card, favourite });
    }
  }

  #follow(): void {
    if (this.#follows) return;
    this.#follows = true;
    connection.on("history:changed", ({ jobIds }) => this.#doubt(jobIds));
    connection.onRefresh(() => this.#doubt(null));
  }

  /** What changed is shown as it was until its new card is there. */
  #doubt(ids: readonly number[] | null): void {
    for (const id of ids ?? this.#cards.keys()) this.#stale.add(id);
    if (ids === null) this.#gone.clear();
    else for (const id of ids) this.#gone.delete(id);
    void this.#ask();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (let ids = this.#missing(); ids.length > 0; ids = this.#missing()) {
        // Before the answer: what changes while it is on its way may not be in it.
        const doubted = ids.filter((id) => this.#stale.delete(id));
        const { cards } = await request("history:cards", { ids }).catch((error: unknown) => {
          for (const id of doubted) this.#stale.add(id);
          throw error;
        });
        const found = new Set<number>();
        for (const card of cards) {
          found.add(card.id);
          this.#cards.set(card.id, card);
        }
        for (const id of ids) {
          if (found.has(id)) continue;
          this.#gone.add(id);
          this.#cards.delete(id);
        }
        this.#shorten();
      }
    } catch {
      // Shown as a lost connection; everything in sight is asked for again when it is back.
    } finally {
      this.#asking = false;
    }
  }

  #missing(): number[] {
    const ids = new Set<number>();
    for (const wanted of this.#wanted.values())
      for (const id of wanted) {
        if (ids.size === atOnce) return [...ids];
        if (!this.#gone.has(id) && (!this.#cards.has(id) || this.#stale.has(id))) ids.add(id);
      }
    return [...ids];
  }

  #shorten(): void {
    const over = this.#cards.size - keptCards;
    if (over <= 0) return;
    const inSight = new Set([...this.#wanted.values()].flat());
    const old = [...this.#cards.keys()].filter((id) => !inSight.has(id)).slice(0, over);
    for (const id of old) {
      this.#cards.delete(id);
      this.#stale.delete(id);
    }
  }
}

/** The one store of cards of this window. */
export const results = new Results();
