// The picture a video begins with, from its file to RGB of the frame's size. Files may come from anywhere: only PNG, JPEG and
// WebP are read, within bounds and in a thread of their own, and whatever is wrong with one is file.unreadable. Where the
// shape of the frame comes from is contract/settings/picture-size.ts; copies of pictures in the library are
// app/studio/kept-inputs.ts.
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Worker } from "node:worker_threads";
import { RushesError } from "../../contract/errors.ts";
import type { PictureFit } from "../../contract/settings/picture-size.ts";
import type { FrameSize } from "../../contract/settings/resolution.ts";
import { openFile } from "./byte-reader.ts";
import { mostPictureBytes, type PictureEnding, pictureEndingOf, pictureHeadBytes } from "./picture-type.ts";

/** Larger ones are what no camera makes: decoded, this is 400 MB. */
export const mostPicturePixels = 2 ** 27;
/** A picture that is made to be slow is given up, milliseconds. */
const patience = 60_000;
/** Answers that are remembered: a form asks for the same picture with every letter typed. */
const mostAnswers = 100;

/** What the thread is asked, and what it says. */
export interface PictureQuestion {
  readonly bytes: Uint8Array;
  readonly mostPixels: number;
  /** "whole": the size, after all of the picture was decoded. */
  readonly wanted: "size" | "whole" | { readonly frame: FrameSize; readonly fit: PictureFit };
}
export type PictureAnswer =
  | { readonly size: FrameSize; readonly pixels: number }
  | { readonly rgb: Uint8Array; readonly width: number; readonly height: number; readonly channels: number }
  | { readonly failure: string };

const answers = new Map<string, { stamp: string; answer: Promise<PictureAnswer> }>();

/** The picture's size as it is meant to be looked at, its orientation applied. Throws file.unreadable. */
export function readPictureSize(path: string): Promise<FrameSize> {
  return sizeOf(path, "size");
}

/** The same of a picture that can be decoded to its end. Throws file.unreadable for one that is cut off as well. */
export function readWholePictureSize(path: string): Promise<FrameSize> {
  return sizeOf(path, "whole");
}

async function sizeOf(path: string, wanted: "size" | "whole"): Promise<FrameSize> {
  const answer = await remembered(path, wanted);
  if (!("size" in answer)) throw failed(path, answer);
  if (answer.pixels > mostPicturePixels) throw tooLarge(path);
  const { width, height } = answer.size;
  return { width, height };
}

/** What the decoder says of a file as it is now, good or bad. That there was no answer is not remembered: it may go better the
 * next time. */
async function remembered(path: string, wanted: "size" | "whole"): Promise<PictureAnswer> {
  const facts = await stat(path).catch(() => null);
  const stamp = facts ? `${facts.mtimeMs} ${facts.ctimeMs} ${facts.size} ${facts.ino}` : "";
  const key = `${wanted} ${path}`;
  const known = answers.get(key);
  if (facts && known?.stamp === stamp) return known.answer;
  const answer = ask(path, wanted);
  if (answers.size >= mostAnswers) answers.clear();
  answers.set(key, { stamp, answer });
  answer.catch(() => answers.delete(key));
  return answer;
}

/** The picture as the frame shows it: RGB, frame.width * frame.height * 3 bytes. Turned as its orientation says, its
 * colours brought to sRGB, transparency over white, the first picture of an animation. Throws file.unreadable, and
 * job.cancelled when the signal aborts. */
export async function readPictureRgb(
  path: string,
  frame: FrameSize,
  fit: PictureFit,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const answer = await ask(path, { frame, fit }, signal);
  if (!("rgb" in answer)) throw failed(path, answer);
  const { rgb, width, height, channels } = answer;
  if (width !== frame.width || height !== frame.height || channels !== 3)
    throw damaged(path, `The decoder gave ${width}x${height} in ${channels} channels.`);
  return rgb;
}

/** A picture's file as it is, and its kind by its first bytes. Throws file.unreadable. */
export async function readPictureFile(path: string): Promise<{ bytes: Buffer; ending: PictureEnding }> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    if (size > mostPictureBytes) throw refused(path, "is larger than the 100 MB a picture may have");
    const { buffer: head, bytesRead } = await file.read(Buffer.alloc(pictureHeadBytes), 0, pictureHeadBytes, 0);
    const ending = pictureEndingOf(head.subarray(0, bytesRead));
    if (ending === null) throw refused(path, "is no picture (PNG, JPEG, WebP)");
    return { bytes: await file.readFile(), ending };
  } finally {
    await file.close();
  }
}

async function ask(path: string, wanted: PictureQuestion["wanted"], signal?: AbortSignal): Promise<PictureAnswer> {
  const { bytes } = await readPictureFile(path);
  if (signal?.aborted) throw new RushesError("job.cancelled");
  const name = import.meta.url.endsWith(".ts") ? "./input-picture-thread.ts" : "./input-picture-thread.js";
  const question: PictureQuestion = { bytes, mostPixels: mostPicturePixels, wanted };
  const thread = new Worker(new URL(name, import.meta.url), { workerData: question, execArgv: [], stderr: true });
  const { promise, resolve, reject } = Promise.withResolvers<PictureAnswer>();
  const cancel = () => reject(new RushesError("job.cancelled"));
  const timer = setTimeout(() => reject(damaged(path, `Not decoded within ${patience / 1000} s.`)), patience);
  thread.on("message", resolve);
  thread.on("error", (error) => reject(threadFailed(path, error)));
  thread.on("exit", (code) => reject(damaged(path, `The decoder ended with ${code}.`)));
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
    await thread.terminate();
  }
}

function threadFailed(path: string, error: unknown): RushesError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") return damaged(path, message);
  return new RushesError("engine.unavailable", {
    sentence: "The part of Rushes that reads pictures is missing.",
    advice: "Install Rushes again; from the sources, run `npm ci`.",
    detail: message,
    cause: error,
  });
}

/** For an answer that is not what was asked for. */
function failed(path: string, answer: PictureAnswer): RushesError {
  const failure = "failure" in answer ? answer.failure : "";
  return /pixel limit/i.test(failure) ? tooLarge(path) : damaged(path, failure);
}

function damaged(path: string, detail: string): RushesError {
  return new RushesError("file.unreadable", {
    sentence: `${basename(path)} is damaged or is no picture that can be read.`,
    advice: "Open it in an image editor, save it as PNG, and choose that file.",
    detail,
  });
}

function tooLarge(path: string): RushesError {
  return refused(path, `has more than the ${Math.floor(mostPicturePixels / 1e6)} million pixels a picture may have`);
}

function refused(path: string, why: string): RushesError {
  return new RushesError("file.unreadable", { sentence: `${path} ${why}.`, advice: "Choose another picture." });
}
