// The latest preview pictures of running jobs, in memory: as the engine gave them, turned into PNG when somebody looks.
import { encode } from "fast-png";

/** Windows that are a step behind still find theirs. */
const keptSteps = 2;

export interface PreviewPicture {
  step: number;
  /** width * height * 3 bytes. */
  rgb: Uint8Array;
  width: number;
  height: number;
}

interface Kept extends PreviewPicture {
  png: Uint8Array | null;
}

export class PreviewStore {
  readonly #jobs = new Map<number, Kept[]>();

  keep(jobId: number, { step, rgb, width, height }: PreviewPicture): void {
    const others = (this.#jobs.get(jobId) ?? []).filter((kept) => kept.step !== step);
    this.#jobs.set(jobId, [...others, { step, rgb, width, height, png: null }].slice(-keptSteps));
  }

  /** The picture of that step as PNG, else the latest one; null where there is none. */
  png(jobId: number, step: number | null): Uint8Array | null {
    const kept = this.#jobs.get(jobId);
    const picture = kept?.find((each) => each.step === step) ?? kept?.at(-1);
    if (!picture) return null;
    const { rgb: data, width, height } = picture;
    return (picture.png ??= encode({ width, height, data, channels: 3, depth: 8 }));
  }

  forget(jobId: number): void {
    this.#jobs.delete(jobId);
  }
}
