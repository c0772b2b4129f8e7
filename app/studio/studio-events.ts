// The studio's one stream of events: numbered without gaps, heard by every window and script. Progress comes from the
// engine far more often than anybody can look, so it is let through about ten times a second for each job.
import type { Announcement, StudioEvent } from "../../contract/channels/events.ts";
import type { JobProgress } from "../../contract/job.ts";

export type StudioListener = (event: StudioEvent) => void;

/** At most one progress event of a job in this time, milliseconds. */
const progressPeriod = 100;

interface Progressing {
  at: number;
  waiting: JobProgress | null;
  timer: NodeJS.Timeout | null;
}

export class StudioEvents {
  readonly #listeners = new Set<StudioListener>();
  readonly #progressing = new Map<number, Progressing>();
  #number = 0;

  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Hears everything from now on; the function that is given back ends it. */
  listen(listener: StudioListener): () => void {
    // Two calls with one function are two listeners.
    const own: StudioListener = (event) => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  announce(news: Announcement): void {
    const event: StudioEvent = { ...news, number: ++this.#number };
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch {
        // A listener that fails must not keep the others from hearing, nor the job that speaks from running.
      }
    }
  }

  /** Announces how far a job is, the latest word always among what is let through. */
  progressed(jobId: number, progress: JobProgress): void {
    // Not the time of day: set back by an hour it would hold progress back for an hour.
    const now = performance.now();
    const last = this.#progressing.get(jobId) ?? { at: -Infinity, waiting: null, timer: null };
    this.#progressing.set(jobId, last);
    last.waiting = progress;
    const wait = last.at + progressPeriod - now;
    if (wait <= 0) return this.#say(jobId, last);
    last.timer ??= setTimeout(() => this.#say(jobId, last), wait).unref();
  }

  /** Forgets what was held back: the job is no longer running. */
  settled(jobId: number): void {
    clearTimeout(this.#progressing.get(jobId)?.timer ?? undefined);
    this.#progressing.delete(jobId);
  }

  close(): void {
    for (const jobId of [...this.#progressing.keys()]) this.settled(jobId);
    this.#listeners.clear();
  }

  #say(jobId: number, last: Progressing): void {
    if (last.timer) clearTimeout(last.timer);
    const progress = last.waiting;
    Object.assign(last, { at: performance.now(), waiting: null, timer: null });
    if (progress) this.announce({ kind: "job:progressed", jobId, progress });
  }
}
