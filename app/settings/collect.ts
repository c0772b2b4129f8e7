// Gathers what config file, preset and flags say into sources, weakest first, with the model and files they name.
import { existsSync } from "node:fs";
import { knownModel, type ModelChoice } from "../../contract/models.ts";
import type { Settings } from "../../contract/settings/derive.ts";
import { modeOf } from "./resolve.ts";
import { libraryConfigFile } from "./library-config.ts";
import type { ModelFileChoice, NamedValues, SettingSource, SourceKind } from "./sources.ts";

export interface GivenOptions {
  readonly libraryFolder: string;
  /** --config; absent: config.yaml in the library folder, where there is one; null: none. */
  readonly configFile?: string | null | undefined;
  /** A preset's name or file. */
  readonly preset?: string | undefined;
  /** The preset of a form, by its id; one that is gone or broken is as none. `preset` goes before it. */
  readonly presetId?: string | null | undefined;
  /** What flags (or the caller of the library) say. */
  readonly flags: NamedValues;
  /** How errors and `settings` call them: "command line" when absent. */
  readonly flagOrigin?: string;
}

export interface Collected {
  /** Weakest first. */
  readonly sources: readonly SettingSource[];
  readonly choice: ModelChoice;
  readonly savePath: string | undefined;
}

/** Throws settings.unreadable, settings.unknown or settings.invalid. */
export async function collectSources(given: GivenOptions): Promise<Collected> {
  const layers: { kind: SourceKind; origin: string; named: NamedValues }[] = [];
  // Both readers bring a parser; most runs need neither.
  const configFile = given.configFile === undefined ? libraryConfigFile(given.libraryFolder) : given.configFile;
  if (configFile !== null) {
    const { readConfigFile } = await import("./config-file.ts");
    layers.push({ kind: "config", origin: configFile, named: readConfigFile(configFile) });
  }
  if (given.preset !== undefined) {
    const { readPreset } = await import("./presets.ts");
    layers.push({ kind: "preset", origin: given.preset, named: readPreset(given.preset, given.libraryFolder) });
  }
  if (given.preset === undefined && given.presetId) {
    const { presetSettings } = await import("./presets.ts");
    const values = presetSettings(given.presetId, given.libraryFolder);
    if (values) layers.push({ kind: "preset", origin: given.presetId, named: { values, files: {} } });
  }
  layers.push({ kind: "flag", origin: given.flagOrigin ?? "command line", named: given.flags });
  const files: ModelFileChoice = Object.assign({}, ...layers.map(({ named }) => named.files));
  const name = layers.findLast(({ named }) => named.values.model)?.named.values.model;
  const sources = layers.map(({ kind, origin, named }) => ({ kind, origin, values: named.values }));
  return {
    sources,
    choice: { ...modelChoice(name, files), mode: modeOf(sources, null) },
    savePath: layers.findLast(({ named }) => named.savePath !== undefined)?.named.savePath,
  };
}

/** The model that a name and files mean. A transformer given alone gets the other files from where TurboDiffusion's
 * instructions put them, when they are there. */
export function modelChoice(name: Settings["model"] | undefined, files: ModelFileChoice): ModelChoice {
  const named = name === undefined || name === "auto" ? {} : { name };
  if (files.ditPath === undefined) return { ...named, ...files };
  const known = name === undefined || name === "auto" ? null : knownModel(name);
  const turbo = known ?? ("name" in named ? null : knownModel("wan2.1-1.3b"));
  if (!turbo) return { ...named, ...files };
  const fill = (path: string) => (known || existsSync(path) ? path : undefined);
  const vaePath = files.vaePath ?? fill(turbo.files.vae);
  const textEncoderPath = files.textEncoderPath ?? fill(turbo.files.textEncoder);
  return {
    ...named,
    ...files,
    ...(vaePath === undefined ? {} : { vaePath }),
    ...(textEncoderPath === undefined ? {} : { textEncoderPath }),
  };
}
