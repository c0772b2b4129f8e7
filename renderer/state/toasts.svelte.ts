// Short messages that come and go, such as "Deleted, Undo". How they look is parts/ToastRegion.svelte.
import type { ErrorRecord } from "../../contract/errors.ts";
import { asRushesError } from "../../contract/errors.ts";
import { text } from "../text/text.svelte.ts";

export interface Toast {
  readonly id: number;
  readonly tone: "plain" | "good" | "bad";
  readonly text: string;
  /** A second line: what to do. */
  readonly advice: string;
  /** What the studio said exactly, where the text is a translation of less; folded. */
  readonly exact: string;
  /** One thing to do about it, "Undo" above all. */
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

/** Milliseconds a message stays; with something to do about it, long enough to decide. */
const staysFor = { plain: 5000, action: 12_000, bad: 15_000 };

class Toasts {
  #toasts = $state.raw<readonly Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  get all(): readonly Toast[] {
    return this.#toasts;
  }

  show(words: string, more: Partial<Omit<Toast, "id" | "text">> = {}): number {
    const id = this.#next++;
    const toast: Toast = { id, tone: "plain", advice: "", exact: "", action: null, ...more, text: words };
    // Said again it stands once, and stays as long as if it were the first time.
    const others = this.#toasts.filter((each) => each.text !== words || each.action !== null || toast.action !== null);
    this.#toasts = [...others, toast].slice(-4);
    this.#expire(toast);
    return id;
  }

  /** A message with Undo. */
  undoable(words: string, undo: () => void): number {
    return this.show(words, { action: { label: text.words.parts.undo, run: undo } });
  }

  /** Whatever was thrown, as its sentence and advice. */
  error(thrown: unknown, again?: () => void): number {
    const error: ErrorRecord = asRushesError(thrown).toJSON();
    const { sentence, advice, exact } = text.error(error);
    const action = again ? { label: text.words.parts.retry, run: again } : null;
    return this.show(sentence, { tone: "bad", advice, exact, action });
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#toasts = this.#toasts.filter((toast) => toast.id !== id);
  }

  /** While the pointer or the keyboard is there, nothing disappears. */
  hold(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  release(): void {
    for (const toast of this.#toasts) this.#expire(toast);
  }

  #expire(toast: Toast): void {
    clearTimeout(this.#timers.get(toast.id));
    const stays = toast.tone === "bad" ? staysFor.bad : toast.action ? staysFor.action : staysFor.plain;
    this.#timers.set(
      toast.id,
      setTimeout(() => this.dismiss(toast.id), stays),
    );
  }
}

export const toasts = new Toasts();
