// The library's way in: opens a model in a studio of its own.
import type { ModelChoice } from "../../contract/models.ts";
import type { Settings } from "../../contract/settings/derive.ts";
import { collectSources, modelChoice } from "../settings/collect.ts";
import { libraryFolderOf } from "../settings/library-folder.ts";
import { modeOf } from "../settings/resolve.ts";
import { type ModelFileChoice, readNamedValues, type SettingSource } from "../settings/sources.ts";
import { Model } from "./model.ts";

export interface OpenOptions {
  /** The library folder that records every video: default RUSHES_LIBRARY, else Videos/Rushes in the home folder. */
  readonly library?: string;
  /** A config file, below the settings given in code. None is read unless it is named. */
  readonly config?: string;
  /** A preset's name or file, between the two. */
  readonly preset?: string;
}

/**
 * Opens a model and resolves when its files have been read and fit together; weights are loaded by the first
 * generation and stay warm until `close`.
 *
 * @example
 * ```ts
 * import { open } from "rushes";
 *
 * const model = await open("demo", { quantLinear: "int8" });
 * const video = await model.generate("A red ball bounces on a blue background", { numFrames: 17, seed: 42 });
 * await video.save("ball.mp4");
 * await model.close();
 * ```
 *
 * @param model a name ("demo"), or the paths of its files
 * @param settings values for every generation; each generation may change them
 * @throws RushesError settings.invalid, model.unknown, checkpoint.missing, checkpoint.incomplete, ...
 */
export async function open(
  model: string | ModelFileChoice = "demo",
  settings: Partial<Settings> = {},
  options: OpenOptions = {},
): Promise<Model> {
  const named = readNamedValues({ ...settings }, "settings", "value");
  const chosen = typeof model === "string" ? modelChoice(model, {}) : modelChoice(undefined, model);
  const { sources } = await collectSources({
    libraryFolder: libraryFolderOf(options.library),
    configFile: options.config ?? null,
    preset: options.preset,
    flags: named,
    flagOrigin: "settings",
  });
  return await openModel(options.library, { ...chosen, mode: modeOf(sources, null) }, sources);
}

/** Opens a model with the sources of its settings, weakest first: the part `open` and the command line share. */
export async function openModel(
  library: string | undefined,
  choice: ModelChoice,
  sources: readonly SettingSource[],
): Promise<Model> {
  const { openStudio } = await import("../studio/open-studio.ts");
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    return new Model(studio, choice, await studio.model(choice), sources);
  } catch (error) {
    await studio.close();
    throw error;
  }
}
