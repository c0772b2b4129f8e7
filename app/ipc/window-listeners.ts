// Which windows hear the studio's events: those that asked, until they say otherwise, load another page or are gone.
import type { StudioEvent } from "../../contract/channels.ts";

/** A window's page, as far as events go to it. */
export interface Listening {
  send(event: StudioEvent): void;
}

export interface EventSource {
  listen(listener: (event: StudioEvent) => void): () => void;
}

export class WindowListeners<Page extends object> {
  readonly #pages = new Map<Page, Listening>();
  readonly #stop: () => void;
  readonly #firstHeard = new Set<() => void>();

  constructor(source: EventSource) {
    this.#stop = source.listen((event) => {
      for (const { send } of this.#pages.values()) send(event);
    });
  }

  get count(): number {
    return this.#pages.size;
  }

  add(page: Page, listening: Listening): void {
    this.#pages.set(page, listening);
    for (const call of [...this.#firstHeard]) call();
    this.#firstHeard.clear();
  }

  remove(page: Page): void {
    this.#pages.delete(page);
  }

  /** Calls as soon as a window listens: at once where one does. */
  whenHeard(call: () => void): void {
    if (this.#pages.size > 0) call();
    else this.#firstHeard.add(call);
  }

  close(): void {
    this.#stop();
    this.#pages.clear();
  }
}
