// Trouble that keeps a queue from running, again and again: how long it rests, and what of it is worth a line in the log.
// The log is short, and what was written before the trouble is what explains it.

/** How long the queue rests after the first trouble, and after much of it, milliseconds. */
const shortestRest = 2000;
const longestRest = 60_000;
/** How often the same trouble is named again, milliseconds. */
const repeatPeriod = 10 * 60_000;

export class QueueTrouble {
  #rest = shortestRest;
  #message: string | null = null;
  #saidAt = 0;
  #unsaid = 0;

  /** The queue stopped after a run of so many milliseconds: what to log (null: nothing new), and how long to rest. `now`
   * counts milliseconds, whatever happens to the clock. */
  met(error: unknown, lasted: number, now = performance.now()): { line: string | null; rest: number } {
    // What lasted had found its way out of the trouble before.
    const rest = lasted > longestRest ? shortestRest : this.#rest;
    this.#rest = Math.min(rest * 2, longestRest);
    return { line: this.#line(error, now), rest };
  }

  #line(error: unknown, now: number): string | null {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#message && now - this.#saidAt < repeatPeriod) {
      this.#unsaid++;
      return null;
    }
    const line =
      message === this.#message
        ? `the queue stopped ${this.#unsaid + 1} times more: ${message}`
        : `the queue stopped: ${error instanceof Error ? (error.stack ?? message) : message}`;
    this.#message = message;
    this.#saidAt = now;
    this.#unsaid = 0;
    return line;
  }
}
