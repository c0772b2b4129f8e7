// Finding a preset: a built-in one, a file in the library's presets folder, or any file. Built-in ones are declared in
// contract/settings/presets.ts.
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { RushesError } from "../../contract/errors.ts";
import { catalogueVersion } from "../../contract/settings/catalogue.ts";
import { builtInPresets } from "../../contract/settings/presets.ts";
import { applyRenames } from "../../contract/settings/renames.ts";
import { isRecord, readConfig, readTextFile } from "./config-file.ts";
import { nearest, type NamedValues, readNamedValues } from "./sources.ts";

const presetFile = z.object({
  name: z.string().optional(),
  catalogueVersion: z.number().int().min(1).max(catalogueVersion),
  settings: z.record(z.string(), z.unknown()),
});

/** The values of a preset by name or by file. Throws settings.unknown when there is none of that name. */
export function readPreset(name: string, libraryFolder: string): NamedValues {
  const builtIn = builtInPresets.find(({ id, label }) => [id, label.toLowerCase()].includes(name.toLowerCase()));
  const folder = join(libraryFolder, "presets");
  const file = [join(folder, `${basename(name)}.json`), name].find((path) => existsSync(path));
  if (file !== undefined) return readPresetFile(file);
  if (builtIn) return { values: builtIn.settings, files: {} };
  const known = [...builtInPresets.map(({ id }) => id), ...presetNames(folder)];
  const near = nearest(name, known);
  throw new RushesError("settings.unknown", {
    sentence: `There is no preset called "${name}".`,
    advice: near === null ? `There are: ${known.join(", ")}.` : `Did you mean "${near}"?`,
  });
}

/** Our own form ({"catalogueVersion", "settings"}), or TurboDiffusion's config.yaml. */
function readPresetFile(file: string): NamedValues {
  const text = readTextFile(file);
  if (!file.endsWith(".json")) return readConfig(text, file);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new RushesError("settings.unreadable", { sentence: `${file} is not JSON.`, cause: error });
  }
  if (isRecord(document) && !("settings" in document)) return readNamedValues(document, file, "value");
  const preset = presetFile.safeParse(document);
  if (!preset.success) {
    throw new RushesError("settings.unreadable", {
      sentence: `${file} is not a preset of this version of Rushes.`,
      detail: z.prettifyError(preset.error),
    });
  }
  const { settings, catalogueVersion: version } = preset.data;
  return readNamedValues(applyRenames(settings, version), file, "value");
}

function presetNames(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".json"))
        .map((name) => basename(name, ".json"))
    : [];
}
