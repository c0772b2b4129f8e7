// Finding a preset: a built-in one, a file in the library's presets folder, or any file. Built-in ones are declared in
// contract/settings/presets.ts; keeping the library's own in order is app/presets.
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import type { Settings } from "../../contract/settings/derive.ts";
import { builtInPresets } from "../../contract/settings/presets.ts";
import { readTextFile } from "./config-file.ts";
import { readPresetText, withoutPicture } from "./preset-file.ts";
import { nearest, type NamedValues } from "./sources.ts";

/** No preset of a person comes near it. */
const largestPreset = 1 << 20;

export function presetsFolder(libraryFolder: string): string {
  return join(libraryFolder, "presets");
}

/** The values of a preset by name, by its file's name or by file. Throws settings.unknown when there is none. */
export function readPreset(name: string, libraryFolder: string): NamedValues {
  const folder = presetsFolder(libraryFolder);
  const file = ownFile(name, folder);
  if (file !== null) return namedValues(file);
  const builtIn = builtInPresets.find(({ id, label }) => [id, label.toLowerCase()].includes(name.toLowerCase()));
  if (builtIn) return { values: builtIn.settings, files: {} };
  // The last: what happens to lie in the current folder is not to hide a preset.
  if (isFile(name)) return namedValues(name);
  const known = [
    ...builtInPresets.map(({ id }) => id),
    ...presetFileNames(folder).map((each) => basename(each, ".json")),
  ];
  const near = nearest(name, known);
  throw new RushesError("settings.unknown", {
    sentence: `There is no preset called "${name.slice(0, 100)}".`,
    advice: near === null ? `There are: ${known.join(", ")}.` : `Did you mean "${near}"?`,
  });
}

/** The file at that path, or the library's of that name; null when it is neither. What has a separator is a path, whatever the
 * library's files are called; only a preset's name inside its file may have one too. */
function ownFile(name: string, folder: string): string | null {
  if (/[/\\]/.test(name)) return isFile(name) ? name : (fileCalled(name, folder) ?? name);
  const named = [`${name}.json`, ...(name.endsWith(".json") ? [name] : [])].map((each) => join(folder, each));
  return named.find(isFile) ?? fileCalled(name, folder);
}

function namedValues(file: string): NamedValues {
  const { values, files, savePath } = readPresetFile(file);
  return savePath === undefined ? { values, files } : { values, files, savePath };
}

function isFile(path: string): boolean {
  // statSync alone throws for a name that no file can have.
  return existsSync(path) && statSync(path).isFile();
}

/** The values of a preset by its id (a built-in one's, else its file's name) without a picture, whatever its file says; null
 * where it is gone or broken. */
export function presetSettings(id: string, libraryFolder: string): Partial<Settings> | null {
  const builtIn = builtInPresets.find((preset) => preset.id === id.toLowerCase());
  if (builtIn) return builtIn.settings;
  const folder = presetsFolder(libraryFolder);
  const name = presetFileNames(folder).find((each) => presetIdOf(each) === id);
  try {
    return name === undefined ? null : withoutPicture(readPresetFile(join(folder, name)).values);
  } catch {
    return null;
  }
}

/** The id of a preset's file: its name without ending, unless a built-in preset has that id. */
export function presetIdOf(fileName: string): string {
  const stem = fileName.slice(0, -".json".length);
  return builtInPresets.some(({ id }) => id === stem.toLowerCase()) ? fileName : stem;
}

/** Reads a preset's file as a whole. Throws settings.unreadable, settings.unknown or settings.invalid. */
export function readPresetFile(file: string): ReturnType<typeof readPresetText> {
  const size = existsSync(file) ? statSync(file).size : 0;
  if (size > largestPreset)
    throw new RushesError("settings.unreadable", { sentence: `${file} is too large for a preset.` });
  return readPresetText(readTextFile(file), file);
}

/** The preset files of a library, by name. */
export function presetFileNames(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .sort();
}

/** The file of the library's preset with that name inside, whatever its case; null when there is none. */
function fileCalled(name: string, folder: string): string | null {
  const wanted = name.toLowerCase();
  for (const each of presetFileNames(folder)) {
    const file = join(folder, each);
    try {
      if (readPresetFile(file).name?.toLowerCase() === wanted) return file;
    } catch {
      // A broken file has no name; asking for it by its file's name says what is wrong.
    }
  }
  return null;
}
