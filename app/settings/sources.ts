// Where a setting's value can come from, and the readers of values by name that config files, presets and prompt lists
// share. Which source wins lives in resolve.ts.
import { RushesError } from "../../contract/errors.ts";
import type { ModelChoice } from "../../contract/models.ts";
import {
  allSettings,
  settingOf,
  type SettingLimits,
  type SettingProblem,
  type Settings,
} from "../../contract/settings/derive.ts";
import { readText, readValue, settingIdOf, snakeCase } from "../../contract/settings/flags.ts";

/** Weakest first. */
export const sourceKinds = ["default", "model", "config", "preset", "flag"] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** The values of one source. `origin` says where exactly: a file, a preset's name, "command line". */
export interface SettingSource {
  readonly kind: SourceKind;
  readonly origin: string;
  readonly values: Partial<Settings>;
}

/** What a config file, a preset or a row of a prompt list says: settings, model files, and where to put a copy. */
export interface NamedValues {
  readonly values: Partial<Settings>;
  readonly files: ModelFileChoice;
  readonly savePath?: string;
}

export type ModelFileChoice = Omit<ModelChoice, "name" | "mode">;

/** TurboDiffusion calls the transformers of a model of two experts by what they are. */
const fileKeys: ReadonlyMap<string, keyof ModelFileChoice> = new Map([
  ["dit_path", "ditPath"],
  ["high_noise_model_path", "ditPath"],
  ["dit_low_path", "ditLowPath"],
  ["low_noise_model_path", "ditLowPath"],
  ["vae_path", "vaePath"],
  ["text_encoder_path", "textEncoderPath"],
  ["tokenizer_path", "tokenizerPath"],
]);
const savePathKeys = new Set(["save_path", "output"]);

/** "dit-path", "dit_path" and "ditPath" name the same file. */
export function modelFileKey(spelling: string): keyof ModelFileChoice | null {
  return fileKeys.get(underscored(spelling)) ?? null;
}

export function isSavePathKey(spelling: string): boolean {
  return savePathKeys.has(underscored(spelling));
}

function underscored(spelling: string): string {
  return snakeCase(spelling).replaceAll("-", "_");
}

/** Reads one object of values by name; `form` is how values are written ("text" for CSV cells and flags). Throws
 * settings.unknown or settings.invalid, with `origin` (null: none is needed) at the head of the sentence. */
export function readNamedValues(
  object: Readonly<Record<string, unknown>>,
  origin: string | null,
  form: "text" | "value",
  limits: SettingLimits = {},
): NamedValues {
  const values: Record<string, unknown> = {};
  const files: { -readonly [K in keyof ModelFileChoice]: ModelFileChoice[K] } = {};
  let savePath: string | undefined;
  for (const [key, given] of Object.entries(object)) {
    const id = settingIdOf(key);
    const fileKey = modelFileKey(key);
    if (id !== null) {
      const setting = { ...settingOf(id), id };
      const read =
        form === "text" ? readText(setting, String(given), limits[id]) : readValue(setting, given, limits[id]);
      if ("problem" in read) throw invalid(read.problem, origin);
      values[id] = read.value;
    } else if (fileKey !== null) files[fileKey] = path(key, given, origin);
    else if (isSavePathKey(key)) savePath = path(key, given, origin);
    else throw unknownKey(key, origin);
  }
  const known = { values: values as Partial<Settings>, files };
  return savePath === undefined ? known : { ...known, savePath };
}

function path(key: string, given: unknown, origin: string | null): string {
  if (typeof given === "string" && given.trim() !== "") return given;
  throw invalid({ id: key, sentence: `The path ${key} is empty.`, advice: "Give it a file." }, origin);
}

export function invalid(problem: SettingProblem, origin: string | null = null): RushesError {
  const sentence = origin === null ? problem.sentence : `${origin}: ${problem.sentence}`;
  return new RushesError("settings.invalid", { sentence, advice: problem.advice });
}

function unknownKey(key: string, origin: string | null): RushesError {
  const near = nearest(key, [...allSettings.map(({ id }) => id), ...fileKeys.keys(), ...savePathKeys]);
  return new RushesError("settings.unknown", {
    sentence:
      origin === null ? `There is no setting called "${key}".` : `${origin}: there is no setting called "${key}".`,
    advice: near === null ? "Run `rushes settings` for the names." : `Did you mean "${near}"?`,
  });
}

/** The known name a mistyped one is closest to; null when none is close. */
export function nearest(name: string, known: readonly string[]): string | null {
  const target = underscored(name).toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(target, underscored(candidate).toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.floor(target.length / 3)) ? best.candidate : null;
}

/** Letters to insert, delete or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
