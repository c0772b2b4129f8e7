// The end of the program: asked about once while a video is being made, then everything is put away in order. Knows no
// Electron; main.ts connects it to the ways in which people and systems end programs.

export interface LeavingParts {
  /** A job runs in this process. */
  isRunning(): boolean;
  /** Asks the user; true: end. */
  ask(): Promise<boolean>;
  /** Puts the running job back into the queue and closes what is open. */
  close(): Promise<void>;
  /** Ends the program for good. */
  quit(): void;
}

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

  /** Resolves when the program is about to end, or when the user wants to stay. A second call while the first is at work
   * does nothing. `unasked`: the system ends the session, nobody can answer. */
  async leave({ unasked = false } = {}): Promise<void> {
    if (this.#state === "leaving" || this.#state === "left" || (this.#state === "asking" && !unasked)) return;
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
    await this.#parts.close().catch(() => {});
    this.#state = "left";
    this.#parts.quit();
  }
}
