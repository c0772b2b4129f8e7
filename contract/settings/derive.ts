// What follows from the catalogue: types, defaults, checks, reading and writing a value as text, comparison. Flags and
// config keys are in flags.ts; sizes of named resolutions in resolution.ts.
import { catalogue } from "./catalogue.ts";
import { isResolution, largestSides } from "./resolution.ts";
import type { Setting } from "./setting.ts";

type Entry = (typeof catalogue)[number];

/** Id of a setting. */
export type SettingId = Entry["id"];

/** One LoRA file; strength -2 to 2. */
export interface Lora {
  /** A path, or a name that is looked for where LoRA files are kept (app/models/lora-files.ts). */
  readonly file: string;
  readonly strength: number;
  readonly expert: "high" | "low" | "both";
}

type PlainValue<E> = E extends { kind: "text" | "resolution" }
  ? string
  : E extends { kind: "integer" | "real" }
    ? number
    : E extends { kind: "boolean" }
      ? boolean
      : E extends { kind: "choice"; choices: readonly { id: infer C }[] }
        ? C
        : E extends { kind: "loras" }
          ? readonly Lora[]
          : never;
type Value<E> = PlainValue<E> | (E extends { absent: string } ? null : never);

/** Every setting with its value; null where the catalogue says what it means ("random", "model's own"). */
export type Settings = { [E in Entry as E["id"]]: Value<E> };

/** Settings as they ran: seed and size are known. This is what is recorded. */
export type ResolvedSettings = Omit<Settings, "seed" | "width" | "height"> & {
  seed: number;
  width: number;
  height: number;
};

/** The fields of the addon's struct (addon/include/rushes/settings.h). */
export type EngineSettings = {
  [E in Extract<Entry, { engine: true }> as E["id"]]: PlainValue<E>;
};

export type SettingValue = Settings[SettingId];

/** A limit that a model's manifest sets in place of the catalogue's. */
export interface SettingLimit {
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
}
export type SettingLimits = { readonly [Id in SettingId]?: SettingLimit };

/** Why a value cannot be used, in one sentence, and what to do. */
export interface SettingProblem {
  readonly id: string;
  readonly sentence: string;
  readonly advice: string;
}

const byId = new Map<string, Setting>(catalogue.map((setting) => [setting.id, setting]));

/** The catalogue in one plain type, for code that loops over it. */
export const allSettings: readonly (Setting & { readonly id: SettingId })[] = catalogue;

export function isSettingId(id: string): id is SettingId {
  return byId.has(id);
}

export function settingOf(id: SettingId): Setting {
  const setting = byId.get(id);
  if (!setting) throw new RangeError(`No setting is called "${id}".`);
  return setting;
}

/** Defaults of the catalogue for a mode; what a model's manifest changes is a source of its own (app/settings). */
export function defaultSettings(mode: Settings["mode"] = "t2v"): Settings {
  const entries = allSettings.map((setting) => [
    setting.id,
    mode === "i2v" && setting.imageDefault !== undefined ? setting.imageDefault : setting.default,
  ]);
  return { ...(Object.fromEntries(entries) as Settings), mode };
}

/** The subset the addon reads. Null fields are left out: the addon keeps its own default for them. */
export function engineSettings(settings: Partial<Settings>): Partial<EngineSettings> {
  const fields = allSettings.filter(({ id, engine }) => engine && settings[id] !== undefined && settings[id] !== null);
  return Object.fromEntries(fields.map(({ id }) => [id, settings[id]])) as Partial<EngineSettings>;
}

/** A LoRA file as people call it: without its folders, whichever system they were written on. */
export function loraName({ file }: Pick<Lora, "file">): string {
  return file.split(/[/\\]/).at(-1) || file;
}

export interface SettingDifference {
  readonly id: SettingId;
  readonly from: SettingValue | undefined;
  readonly to: SettingValue | undefined;
}

/** Settings whose values differ, in catalogue order. */
export function differences(from: Partial<Settings>, to: Partial<Settings>): SettingDifference[] {
  return allSettings
    .map(({ id }) => ({ id, from: from[id], to: to[id] }))
    .filter((pair) => JSON.stringify(pair.from) !== JSON.stringify(pair.to));
}

/** Checks one value against the catalogue and a model's limits; null when it may be used. */
export function checkSetting(id: SettingId, value: unknown, limit: SettingLimit = {}): SettingProblem | null {
  const setting = settingOf(id);
  if (value === null && setting.absent !== null) return null;
  const problem = checkKind(setting, value, limit);
  return problem === null ? null : { id, ...problem };
}

type Reason = Omit<SettingProblem, "id">;

function checkKind(setting: Setting, value: unknown, limit: SettingLimit): Reason | null {
  switch (setting.kind) {
    case "text":
      return checkText(setting, value);
    case "integer":
    case "real":
      return checkNumber(setting, value, limit);
    case "boolean":
      return typeof value === "boolean" ? null : refusal(setting, value, "is on or off", "Use true or false.");
    case "choice": {
      const choices = limit.choices ?? setting.choices.map((choice) => choice.id);
      if (typeof value === "string" && choices.includes(value)) return null;
      return refusal(setting, value, `is one of ${choices.join(", ")}`, `Use one of ${choices.join(", ")}.`);
    }
    case "resolution":
      if (typeof value === "string" && isResolution(value)) return null;
      return refusal(
        setting,
        value,
        `is 480p, 720p or WIDTHxHEIGHT with both a multiple of 16 from 16 to ${largestSides.longer} and one of them ` +
          `at most ${largestSides.shorter}`,
        "Use 480p, 720p, or a size such as 832x480.",
      );
    case "loras":
      if (!Array.isArray(value) || !value.every(isLora))
        return refusal(setting, value, "is a list of files with a strength from -2 to 2", "Use FILE:STRENGTH.");
      if (value.length <= mostLoras) return null;
      return {
        sentence: `${setting.label} is a list of ${mostLoras} files at most, not ${count(value.length)}.`,
        advice: "Take some out.",
      };
  }
}

function checkText(setting: Extract<Setting, { kind: "text" }>, value: unknown): Reason | null {
  if (typeof value !== "string") return refusal(setting, value, "is a text", "Put it in quotes.");
  const length = [...value].length;
  if (setting.minLength > 0 && value.trim() === "")
    return { sentence: `${setting.label} is empty.`, advice: "Write at least one word." };
  if (value.includes("\0")) return { sentence: `${setting.label} has a NUL character in it.`, advice: "Take it out." };
  if (length <= setting.maxLength) return null;
  return {
    sentence: `${setting.label} has ${count(length)} characters; at most ${count(setting.maxLength)} are read.`,
    advice: `Shorten it to ${count(setting.maxLength)} characters.`,
  };
}

function checkNumber(
  setting: Extract<Setting, { kind: "integer" | "real" }>,
  value: unknown,
  limit: SettingLimit,
): Reason | null {
  const min = limit.min ?? setting.min;
  const max = limit.max ?? setting.max;
  const whole = setting.kind === "integer";
  const range = `${whole ? "a whole number" : "a number"} from ${min} to ${max}`;
  if (typeof value !== "number" || !Number.isFinite(value) || (whole && !Number.isSafeInteger(value)))
    return refusal(setting, value, `is ${range}`, `Use ${range}.`);
  if (value < min || value > max) return refusal(setting, value, `is ${range}`, `Use ${range}.`);
  if (whole && setting.step > 1 && (value - setting.base) % setting.step !== 0) {
    const below = Math.max(firstAtLeast(setting, min), value - mod(value - setting.base, setting.step));
    const above = Math.min(max, below + setting.step);
    const rule = setting.base === 0 ? `a multiple of ${setting.step}` : `${setting.step}n+${setting.base}`;
    return refusal(setting, value, `is ${rule}`, `Use ${below} or ${above}.`);
  }
  return null;
}

function firstAtLeast(setting: { base: number; step: number }, min: number): number {
  return min + mod(setting.base - min, setting.step);
}

function mod(value: number, step: number): number {
  return ((value % step) + step) % step;
}

function refusal(setting: Setting, value: unknown, rule: string, advice: string): Reason {
  const shown = typeof value === "string" ? `"${shorten(value)}"` : shorten(JSON.stringify(value) ?? String(value));
  return { sentence: `${setting.label} ${rule}, not ${shown}.`, advice };
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Each is looked at with every change of a form. */
const mostLoras = 16;

function isLora(value: unknown): value is Lora {
  if (typeof value !== "object" || value === null) return false;
  const { file, strength, expert } = value as Record<string, unknown>;
  const known = expert === "high" || expert === "low" || expert === "both";
  return isFile(file) && typeof strength === "number" && Math.abs(strength) <= 2 && known;
}

function isFile(file: unknown): boolean {
  return typeof file === "string" && file.trim() !== "" && file.length <= 4096 && !file.includes("\0");
}
