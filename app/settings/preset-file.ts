// The text of a preset: our own form ({"name", "catalogueVersion", "settings"} as JSON), settings alone as JSON, or
// TurboDiffusion's config.yaml. Finding a preset by its name is in presets.ts; the library's own ones are in app/presets.
import { basename, extname } from "node:path";
import { z } from "zod";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import { catalogueVersion } from "../../contract/settings/catalogue.ts";
import { allSettings, type Settings } from "../../contract/settings/derive.ts";
import { applyRenames } from "../../contract/settings/renames.ts";
import { isRecord, keysOfConfig } from "./config-file.ts";
import { type NamedValues, readNamedValues } from "./sources.ts";

const presetFile = z.object({
  name: z.string().optional(),
  catalogueVersion: z.number().int().min(1).max(catalogueVersion),
  settings: z.record(z.string(), z.unknown()),
});

export interface PresetText extends NamedValues {
  /** What the file calls it, or null. */
  readonly name: string | null;
}

/** Reads a preset as a whole; `file` decides between JSON and YAML and is named in errors. Throws settings.unreadable,
 * settings.unknown or settings.invalid. */
export function readPresetText(text: string, file: string): PresetText {
  const { name, keys } = keysOfPreset(text, file, "whole");
  return { ...readNamedValues(keys, file, "value"), name };
}

/** A preset holds no picture: forms ask doors for their own only, and a path of one machine means nothing on another. */
export function withoutPicture({ image: _image, ...others }: Partial<Settings>): Partial<Settings> {
  return others;
}

export interface ImportedPreset {
  readonly name: string;
  readonly settings: Partial<Settings>;
  /** What could not be used, one sentence each. */
  readonly notes: string[];
}

/** Reads as much of a preset as this version and the catalogue know. Throws settings.unreadable when it is none. */
export function importPresetText(text: string, fileName: string): ImportedPreset {
  const file = basename(fileName.replaceAll("\\", "/"));
  const { name, keys, newer } = keysOfPreset(text, file, "usable");
  const notes = newer ? ["It was written by a newer version of Rushes; what this one does not know is left out."] : [];
  const values: Partial<Settings> = {};
  for (const [key, value] of Object.entries(keys)) {
    try {
      const read = readNamedValues({ [key]: value }, null, "value");
      const usable = withoutPicture(read.values);
      Object.assign(values, usable);
      if (Object.keys(usable).length === 0) notes.push(`${key} is a path, which a preset does not hold.`);
    } catch (error) {
      notes.push(asRushesError(error).message);
    }
  }
  return { name: name ?? basename(file, extname(file)), settings: values, notes };
}

/** The text of a preset's file. */
export function presetText(name: string, settings: Partial<Settings>): string {
  const inOrder = allSettings
    .filter(({ id }) => settings[id] !== undefined)
    .map(({ id }) => [id, settings[id]] as const);
  return `${JSON.stringify({ name, catalogueVersion, settings: Object.fromEntries(inOrder) }, null, 2)}\n`;
}

interface PresetKeys {
  readonly name: string | null;
  readonly keys: Record<string, unknown>;
  readonly newer: boolean;
}

/** "usable" takes what a newer version wrote too. */
function keysOfPreset(text: string, file: string, want: "whole" | "usable"): PresetKeys {
  if (!file.toLowerCase().endsWith(".json")) return { name: null, keys: keysOfConfig(text, file), newer: false };
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new RushesError("settings.unreadable", { sentence: `${file} is not JSON.`, cause: error });
  }
  if (isRecord(document) && !("settings" in document)) return { name: null, keys: document, newer: false };
  const version = isRecord(document) ? document["catalogueVersion"] : undefined;
  const newer = want === "usable" && typeof version === "number" && version > catalogueVersion;
  const preset = presetFile.safeParse(newer ? { ...(document as object), catalogueVersion } : document);
  if (!preset.success) {
    throw new RushesError("settings.unreadable", {
      sentence: `${file} is not a preset of this version of Rushes.`,
      detail: z.prettifyError(preset.error),
    });
  }
  const { settings, catalogueVersion: known } = preset.data;
  return { name: preset.data.name ?? null, keys: applyRenames(settings, known), newer };
}
