// How a setting is spelt outside: flags, config keys, columns; and its values as text. Used by the command line, config
// files and prompt lists, so that all of them read the same words.
import type { Setting } from "./setting.ts";
import {
  allSettings,
  checkSetting,
  type Lora,
  loraName,
  type SettingId,
  type SettingLimit,
  type SettingProblem,
} from "./derive.ts";

/** "numSteps" -> "num_steps": TurboDiffusion's spelling of ids. */
export function snakeCase(id: string): string {
  return id.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function kebabCase(id: string): string {
  return snakeCase(id).replaceAll("_", "-");
}

const idBySpelling = new Map<string, SettingId>(
  allSettings.flatMap((setting) =>
    [setting.id, ...(setting.aliases ?? [])].map((name) => [spellingKey(name), setting.id] as const),
  ),
);

function spellingKey(name: string): string {
  return snakeCase(name).replaceAll("-", "_");
}

/** The setting a flag (without its dashes), config key or column means: "num-steps", "num_steps" and "numSteps". */
export function settingIdOf(spelling: string): SettingId | null {
  return idBySpelling.get(spellingKey(spelling)) ?? null;
}

export type ReadValue = { readonly value: unknown } | { readonly problem: SettingProblem };

/** Reads a value written as text (a flag, a CSV cell) and checks it. */
export function readText(setting: Setting & { id: SettingId }, text: string, limit?: SettingLimit): ReadValue {
  return checked(setting, valueOfText(setting, text), limit);
}

/** Reads a value from JSON or YAML: true and false are accepted where a choice has an on and an off. */
export function readValue(setting: Setting & { id: SettingId }, value: unknown, limit?: SettingLimit): ReadValue {
  if (setting.kind === "choice" && typeof value === "boolean") {
    const off = setting.choices.some((choice) => choice.id === "off") ? "off" : value;
    return checked(setting, value ? (setting.bare ?? value) : off, limit);
  }
  if (typeof value === "string" && setting.kind !== "text") return readText(setting, value, limit);
  if (setting.kind === "loras" && Array.isArray(value))
    return checked(
      setting,
      value.map((item: unknown) => (typeof item === "string" ? loraOfText(item) : item)),
      limit,
    );
  return checked(setting, value, limit);
}

function checked(setting: Setting & { id: SettingId }, value: unknown, limit?: SettingLimit): ReadValue {
  const problem = checkSetting(setting.id, value, limit);
  return problem ? { problem } : { value };
}

function valueOfText(setting: Setting, text: string): unknown {
  const word = text.trim().toLowerCase();
  if (setting.absent !== null && setting.kind !== "text" && word === absentWord(setting)) return null;
  switch (setting.kind) {
    case "text":
      return text;
    case "integer":
    case "real":
      return numberOfText(setting, word) ?? text;
    case "boolean":
      return booleanWords.get(word) ?? text;
    case "choice":
      return setting.choices.find((choice) => choice.id === word)?.id ?? text;
    case "resolution":
      return word;
    case "loras":
      return text === "" || word === "none" ? [] : text.split(/(?<!\\),/).map(loraOfText);
  }
}

/** The word that stands for null on the command line: "random" for the seed, else "auto". */
function absentWord(setting: Setting): string {
  return setting.absent === "random" ? "random" : "auto";
}

function numberOfText(setting: Extract<Setting, { kind: "integer" | "real" }>, word: string): number | null {
  if (setting.zero !== undefined && word === setting.zero) return 0;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(word) ? Number(word) : null;
}

const booleanWords = new Map([
  ["true", true],
  ["on", true],
  ["yes", true],
  ["1", true],
  ["false", false],
  ["off", false],
  ["no", false],
  ["0", false],
]);

/** FILE, FILE:STRENGTH or FILE:STRENGTH:EXPERT; a comma of the file's own stands behind a backslash. Text that is none of
 * these becomes a value that the check refuses. */
function loraOfText(text: string): Lora | string {
  const form = /^(.+?)(?::([+-]?[\d.]+(?:e[+-]?\d+)?))?(?::(high|low|both))?$/i;
  const [, file, strength, expert] = form.exec(text.trim()) ?? [];
  if (!file) return text;
  return {
    file: file.replaceAll("\\,", ","),
    strength: strength ? Number(strength) : 1,
    expert: (expert?.toLowerCase() as Lora["expert"] | undefined) ?? "both",
  };
}

/** A list as `readText` reads it back. */
export function lorasAsText(loras: readonly Lora[]): string {
  return loras.map(({ file, ...rest }) => formatLora(file.replaceAll(",", "\\,"), rest)).join(",");
}

/** A value as a person reads it: "random" for a null seed, "auto" for 0 threads. */
export function formatValue(setting: Setting, value: unknown): string {
  if (value === null || value === undefined) return setting.absent ?? "";
  if ((setting.kind === "integer" || setting.kind === "real") && value === 0 && setting.zero !== undefined)
    return setting.zero;
  if (setting.kind === "boolean") return value === true ? "on" : "off";
  if (setting.kind === "loras")
    return (value as readonly Lora[]).map((lora) => formatLora(loraName(lora), lora)).join(", ") || "none";
  return String(value);
}

function formatLora(file: string, { strength, expert }: Omit<Lora, "file">): string {
  return expert === "both" ? `${file}:${strength}` : `${file}:${strength}:${expert}`;
}
