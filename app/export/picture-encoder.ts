// The studio's side of the picture thread: starts it, passes tasks, ends it.
import { Worker } from "node:worker_threads";
import { RushesError } from "../../contract/errors.ts";
import type { FromPictureThread, PictureTask, PictureTasks, ToPictureThread } from "./picture-messages.ts";

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: RushesError) => void;
}

export class PictureEncoder {
  readonly #thread: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  /** Why the thread takes no more tasks: it would never answer. */
  #ended: string | null = null;

  constructor() {
    const name = import.meta.url.endsWith(".ts") ? "./picture-thread.ts" : "./picture-thread.js";
    this.#thread = new Worker(new URL(name, import.meta.url), { execArgv: [] });
    this.#thread.on("message", (message: FromPictureThread) => this.#hear(message));
    this.#thread.on("error", (error) =>
      this.#end(error instanceof Error ? (error.stack ?? error.message) : `${error}`),
    );
    this.#thread.on("exit", () => this.#end("The thread ended."));
  }

  /** Tasks are done in order. Rejects with engine.internal when the thread failed or was closed. */
  async run<T extends PictureTask>(task: T, given: PictureTasks[T]["given"]): Promise<PictureTasks[T]["result"]> {
    if (this.#ended !== null) throw failed(this.#ended);
    const id = this.#nextId++;
    return new Promise<PictureTasks[T]["result"]>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#thread.postMessage({ id, task, given } satisfies ToPictureThread);
    });
  }

  /** Ends the thread in the middle of whatever it does. */
  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  #hear(message: FromPictureThread): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("failure" in message) waiting?.reject(failed(message.failure));
    else waiting?.resolve(message.result);
  }

  #end(detail: string): void {
    // An error is followed by the thread's end, which says less.
    this.#ended ??= detail;
    for (const { reject } of this.#waiting.values()) reject(failed(detail));
    this.#waiting.clear();
  }
}

function failed(detail: string): RushesError {
  return new RushesError("engine.internal", { sentence: "A picture could not be encoded.", detail });
}
