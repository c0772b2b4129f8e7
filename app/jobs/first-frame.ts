// The first frame of a job that begins with a picture, read anew for every attempt: nothing but the library's copy of the
// picture and the job's settings has to be kept for another one.
import { existsSync } from "node:fs";
import { RushesError } from "../../contract/errors.ts";
import type { ResolvedSettings } from "../../contract/settings/derive.ts";
import { readPictureRgb } from "../media/input-picture.ts";

/** RGB of the job's own size; null for a job without a picture. Throws file.unreadable or job.cancelled. */
export async function firstFrame(settings: ResolvedSettings, signal: AbortSignal): Promise<Uint8Array | null> {
  const { mode, image, imageFit, width, height } = settings;
  if (mode !== "i2v") return null;
  if (image === null || !existsSync(image))
    throw new RushesError("file.unreadable", {
      sentence: "The picture this job begins with is gone.",
      advice: "Choose the picture again and add the job anew.",
      detail: image ?? "",
    });
  return readPictureRgb(image, { width, height }, imageFit, signal);
}
