// Which model "auto" is for a video that begins with a picture: the first one given whose transformer takes one. For text it
// is catalogue.ts' own choice.
import { existsSync } from "node:fs";
import { RushesError } from "../../contract/errors.ts";
import type { ModelChoice, ModelManifest } from "../../contract/models.ts";
import { beginsWithPicture, type Inspect } from "./find-model.ts";
import { expertOf } from "./recognise.ts";

/** The choice with "auto" settled for its mode; others as they are. Reads headers. Throws model.unsupported where no model
 * here can do it. */
export async function settledChoice(
  choice: ModelChoice,
  manifests: readonly ModelManifest[],
  inspect: Inspect,
): Promise<ModelChoice> {
  const { name, mode, ditPath } = choice;
  if (mode !== "i2v" || ditPath !== undefined || (name !== undefined && name.toLowerCase() !== "auto")) return choice;
  for (const manifest of manifests) if (await takesPictures(manifest, inspect)) return { ...choice, name: manifest.id };
  throw new RushesError("model.unsupported", {
    sentence: "No model on this machine can start from an image.",
    advice: "Add an Image to Video model such as TurboWan2.2-I2V-A14B under Models, or leave the image out.",
  });
}

/** A low-noise expert alone was never trained for the first steps: nobody's choice unasked. */
async function takesPictures({ files }: ModelManifest, inspect: Inspect): Promise<boolean> {
  if (files.ditLow === undefined && expertOf(files.dit) === "low") return false;
  if (!Object.values(files).every((path) => existsSync(path))) return false;
  try {
    const header = await inspect(files.dit);
    return beginsWithPicture(header) && header.complete && header.refused === "";
  } catch {
    // A file that cannot be read is no model to choose unasked.
    return false;
  }
}
