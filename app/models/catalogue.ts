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

/** The model of that name, whatever its case: one that is shipped, one that was `added` (by its own name, then by that
 * of the known model it is one of). null when there is none. */
export function findModel(
  name: string,
  added: readonly (ModelManifest & { readonly knownAs?: string | null })[] = [],
  folder = shippedModelsFolder(),
): ModelManifest | null {
  const wanted = name.toLowerCase() === "auto" ? automaticModel : name.toLowerCase();
  const id = modelIds(folder).find((candidate) => candidate.toLowerCase() === wanted);
  if (id !== undefined) return readManifest(join(folder, id), id);
  const called = (each: string | null | undefined) => each?.toLowerCase() === wanted;
  return added.find((model) => called(model.id)) ?? added.find(({ knownAs }) => called(knownAs)) ?? null;
}

export function unknownModel(name: string, added: readonly ModelManifest[] = []): RushesError {
  if (knownModel(name))
    return new RushesError("model.unknown", {
      sentence: `The files of ${name} are not on this machine.`,
      advice: "Add them in the window under Models, name its transformer with --dit_path, or use --model demo.",
    });
  return new RushesError("model.unknown", {
    sentence: `There is no model called "${name.slice(0, 100)}".`,
    advice: `Models here: ${[...modelIds(shippedModelsFolder()), ...added.map(({ id }) => id)].join(", ") || "none"}. Or name files with --dit_path, --vae_path and --text_encoder_path.`,
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
