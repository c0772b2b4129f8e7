// A thread that turns pictures into PNG and GIF bytes, which would hold up the studio's own. Started by
// picture-encoder.ts only; one thread serves one export.
import { parentPort } from "node:worker_threads";
import { encode } from "fast-png";
import { GifWriter } from "./gif-writer.ts";
import type { FromPictureThread, PictureTask, PictureTasks, ToPictureThread } from "./picture-messages.ts";

type Handlers = { [T in PictureTask]: (given: PictureTasks[T]["given"]) => PictureTasks[T]["result"] };

const gif = new GifWriter();

const handlers: Handlers = {
  png: ({ rgb, width, height, text }) =>
    encode({ width, height, data: rgb, channels: 3, depth: 8, ...(text ? { text } : {}) }),
  gifColours: (given) => {
    gif.addColours(given);
    return null;
  },
  gifFrame: (given) => gif.frame(given),
  gifEnd: () => gif.end(),
};

parentPort?.on("message", ({ id, task, given }: ToPictureThread) => {
  let answer: FromPictureThread;
  try {
    answer = { id, result: (handlers[task] as (given: unknown) => unknown)(given) };
  } catch (error) {
    answer = { id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  parentPort?.postMessage(answer);
});
