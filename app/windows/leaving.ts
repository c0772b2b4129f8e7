// The end of the program: asked about once while something runs, then everything is put away in order. Knows no
// Electron; main.ts connects it to the ways in which people and systems end programs.

export interface LeavingParts {
  /** A job or an export runs in this process. */
  isRunning(): boolean;
  /** Asks the user; true: end. */
  ask(): Promise<boolean>;
  /** Puts the running job back into the queue and closes what is open. */
  close(): Promise<void>;
  /** Closing failed, or took too long: the program ends all the same. */
  failed(error: unknown): void;
  /** Ends the program for good. */
  quit(): void;
}

/** How long closing is waited for, milliseconds: the system's own patience with a session that ends is about as long. */
const closingPatience = 15_000;

export class Leaving {
  readonly #parts: LeavingParts;
  #state: "staying" | "asking" | "leaving" | "left" = "staying";

  constructor(parts: LeavingParts) {
    this.#parts = parts;
  }

  /** Windows may close and the program may end. */
  get allowed(): boolean {
    return this.#state === "left";
  }

  /** The program is closing: nobody is to be shown anything any more. */
  get isUnderWay(): boolean {
    return this.#state === "leaving" || this.#state === "left";
  }

  /** Resolves when the program is about to end, or when the user wants to stay. A second call while the first is at work
   * does nothing. `unasked`: the system ends the session, nobody can answer. */
  async leave({ unasked = false } = {}): Promise<void> {
    if (this.isUnderWay || (this.#state === "asking" && !unasked)) return;
    if (!unasked && this.#parts.isRunning()) {
      this.#state = "asking";
      const agreed = await this.#parts.ask();
      // Meanwhile the system may have ended the session.
      if (this.#state !== "asking") return;
      if (!agreed) {
        this.#state = "staying";
        return;
      }
    }
    this.#state = "leaving";
    await this.#close().catch((error: unknown) => this.#parts.failed(error));
    this.#state = "left";
    this.#parts.quit();
  }

  async #close(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const words = `closing took more than ${closingPatience / 1000} seconds`;
    const timer = setTimeout(() => late.reject(new Error(words)), closingPatience);
    await Promise.race([this.#parts.close(), late.promise]).finally(() => clearTimeout(timer));
  }
}
