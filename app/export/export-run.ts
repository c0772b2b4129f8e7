// One export under way: its engine, its thread, its cancelling and its progress.
import { RushesError } from "../../contract/errors.ts";
import type { SourceClip } from "../media/read-clip.ts";
import { type ClipEngine, picturesOf } from "./pictures.ts";
import { PictureEncoder } from "./picture-encoder.ts";

export interface ExportOptions {
  /** Cancels: the export rejects with export.cancelled within a second and leaves nothing. */
  signal?: AbortSignal;
  /** 0..1, growing. */
  onProgress?: (fraction: number) => void;
}

export class ExportRun {
  readonly engine: ClipEngine;
  readonly signal: AbortSignal;
  readonly #onProgress: (fraction: number) => void;
  #encoder: PictureEncoder | null = null;

  private constructor(engine: ClipEngine, signal: AbortSignal, onProgress: (fraction: number) => void) {
    this.engine = engine;
    this.signal = signal;
    this.#onProgress = onProgress;
  }

  /** Runs `work` with a run of its own; whatever was started for it has ended when this returns. */
  static async of<T>(
    engine: ClipEngine,
    { signal = new AbortController().signal, onProgress = () => {} }: ExportOptions,
    work: (run: ExportRun) => Promise<T>,
  ): Promise<T> {
    const run = new ExportRun(engine, signal, onProgress);
    const stop = () => void run.#encoder?.close();
    signal.addEventListener("abort", stop, { once: true });
    try {
      run.check();
      return await work(run);
    } catch (error) {
      // Everything that an abort makes fail on its way out means the same.
      if (signal.aborted) throw new RushesError("export.cancelled", { cause: error });
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      await run.#encoder?.close();
    }
  }

  /** Throws when cancelled. */
  check(): void {
    if (this.signal.aborted) throw new RushesError("export.cancelled");
  }

  progress(fraction: number): void {
    this.check();
    this.#onProgress(fraction);
  }

  /** The run's picture thread, started when first asked for. */
  pictureEncoder(): PictureEncoder {
    this.check();
    return (this.#encoder ??= new PictureEncoder());
  }

  async *pictures(clip: SourceClip): AsyncGenerator<Buffer, void> {
    for await (const rgb of picturesOf(this.engine, clip, this.signal)) {
      this.check();
      yield rgb;
    }
  }
}
