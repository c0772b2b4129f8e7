// The latest preview pictures of jobs, in memory: as the engine gave them, turned into PNG when somebody looks. A window
// hears of a picture first and asks for it afterwards, by when the job may already wait again or have ended.
import { encode } from "fast-png";
import type { PreviewState } from "../../contract/channels/queue.ts";

/** Windows that are a step behind still find theirs. */
const keptSteps = 2;
/** Jobs that have pictures: the one that runs, and some that wait again or have just ended. */
const keptJobs = 4;
/** What a slow window may take to ask for a picture it heard of, milliseconds. */
const afterlife = 30_000;

export interface PreviewPicture extends PreviewState {
  /** width * height * 3 bytes. */
  rgb: Uint8Array;
}

interface Kept extends PreviewPicture {
  png: Uint8Array | null;
}

export class PreviewStore {
  /** By job, that with the newest picture last. */
  readonly #jobs = new Map<number, Kept[]>();
  readonly #ends = new Map<number, NodeJS.Timeout>();
  readonly #afterlife: number;

  /** `milliseconds`: how long pictures outlive their job's end. */
  constructor(milliseconds = afterlife) {
    this.#afterlife = milliseconds;
  }

  keep(jobId: number, { step, rgb, width, height, approximate }: PreviewPicture): void {
    const others = (this.#jobs.get(jobId) ?? []).filter((kept) => kept.step !== step);
    this.forget(jobId);
    this.#jobs.set(jobId, [...others, { step, rgb, width, height, approximate, png: null }].slice(-keptSteps));
    const [oldest] = this.#jobs.keys();
    if (oldest !== undefined && this.#jobs.size > keptJobs) this.forget(oldest);
  }

  /** What the job's latest picture is; null where there is none. */
  latest(jobId: number): PreviewState | null {
    const kept = this.#jobs.get(jobId)?.at(-1);
    if (!kept) return null;
    const { step, width, height, approximate } = kept;
    return { step, width, height, approximate };
  }

  /** The picture of that step as PNG, else the latest one; null where there is none. */
  png(jobId: number, step: number | null): Uint8Array | null {
    const kept = this.#jobs.get(jobId);
    const picture = kept?.find((each) => each.step === step) ?? kept?.at(-1);
    if (!picture) return null;
    const { rgb: data, width, height } = picture;
    return (picture.png ??= encode({ width, height, data, channels: 3, depth: 8 }));
  }

  /** The job has ended: its pictures go in a while, unless it runs again and gives new ones. */
  forgetLater(jobId: number): void {
    clearTimeout(this.#ends.get(jobId));
    // Nothing waits for this: the program may end before.
    this.#ends.set(jobId, setTimeout(() => this.forget(jobId), this.#afterlife).unref());
  }

  /** The job gives other pictures from now on, or none. */
  forget(jobId: number): void {
    clearTimeout(this.#ends.get(jobId));
    this.#ends.delete(jobId);
    this.#jobs.delete(jobId);
  }
}
