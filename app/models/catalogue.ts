// The models this machine has by name: folders with a manifest.json under the project's models/.
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RushesError } from "../../contract/errors.ts";
import { knownModel, type ModelManifest } from "../../contract/models.ts";
import { readManifest } from "./manifest.ts";

/** What "auto" means while the demo model is the only one that is shipped. */
const automaticModel = "demo";

export function listModels(folder = shippedModelsFolder()): ModelManifest[] {
  return modelIds(folder).map((id) => readManifest(join(folder, id), id));
}

/** The model of that name, whatever its case; null when there is none. */
export function findModel(name: string, folder = shippedModelsFolder()): ModelManifest | null {
  const wanted = name.toLowerCase() === "auto" ? automaticModel : name.toLowerCase();
  const id = modelIds(folder).find((candidate) => candidate.toLowerCase() === wanted);
  return id === undefined ? null : readManifest(join(folder, id), id);
}

export function unknownModel(name: string): RushesError {
  if (knownModel(name))
    return new RushesError("model.unknown", {
      sentence: `The files of ${name} are not on this machine.`,
      advice: "Name its transformer with --dit_path, or use --model demo.",
    });
  return new RushesError("model.unknown", {
    sentence: `There is no model called "${name.slice(0, 100)}".`,
    advice: `Models here: ${modelIds(shippedModelsFolder()).join(", ") || "none"}. Or name files with --dit_path, --vae_path and --text_encoder_path.`,
  });
}

function modelIds(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "manifest.json")))
    .sort();
}

/** models/ of the project this file lies in, from the sources and from what was built of them. */
function shippedModelsFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "models", "demo")) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, "models");
}
