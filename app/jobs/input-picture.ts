// The picture a job begins with, read in the engine's process: a picture that brings its decoder down is told as one that
// cannot be read.
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { ResolvedSettings } from "../../contract/settings/derive.ts";
import type { FrameSize } from "../../contract/settings/resolution.ts";
import type { CallOptions, EngineClient } from "../engine/client.ts";

/** Its size as it is looked at. Throws file.unreadable. */
export function inputPictureSize(engine: EngineClient, path: string, options: CallOptions = {}): Promise<FrameSize> {
  return outlived(path, engine.call("pictureSize", [path], { ...options, letGo: true }));
}

/** The first frame of a job's video as RGB; null for a job without a picture. Throws file.unreadable. */
export async function firstFrame(
  engine: EngineClient,
  { mode, image, imageFit, width, height }: ResolvedSettings,
  options: CallOptions = {},
): Promise<Uint8Array | null> {
  if (mode !== "i2v") return null;
  if (image === null || !existsSync(image))
    throw new RushesError("file.unreadable", {
      sentence: image === null ? "This job has no picture to begin with." : `The picture this job begins with is gone.`,
      advice: "Choose the picture again and add the job anew.",
      detail: image ?? "",
    });
  return outlived(image, engine.call("pictureRgb", [image, { width, height }, imageFit], { ...options, letGo: true }));
}

async function outlived<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const known = asRushesError(error);
    if (known.code !== "engine.crashed") throw known;
    throw new RushesError("file.unreadable", {
      sentence: `${basename(path)} cannot be read: the program that decodes pictures ended over it.`,
      advice: "Open it in an image editor, save it as PNG, and choose that file.",
      detail: known.detail,
      cause: error,
    });
  }
}
