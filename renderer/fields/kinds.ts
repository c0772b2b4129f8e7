// What every field is given, and which control suits a setting: pure choices, without markup.
import type { ValueSource } from "../../contract/channels/generate.ts";
import type { LoraEntry } from "../../contract/channels/models.ts";
import type {
  SettingId,
  SettingLimit,
  SettingProblem,
  Settings,
  SettingValue,
} from "../../contract/settings/derive.ts";
import type { Choice, IntegerSetting, RealSetting, Setting } from "../../contract/settings/setting.ts";

/** One setting as a form shows it. */
export interface FieldState<Id extends SettingId = SettingId> {
  readonly id: Id;
  /** The value in force: the user's own or the inherited one. */
  readonly value: Settings[Id];
  /** What a reset goes back to. */
  readonly inherited: Settings[Id];
  /** The user set it. */
  readonly isSet: boolean;
  readonly source: ValueSource;
  readonly problem: SettingProblem | null;
  /** What the chosen model allows in place of the catalogue's limits. */
  readonly limit: SettingLimit;
}

export interface ControlProps<Value extends SettingValue = SettingValue> {
  readonly setting: Setting;
  readonly label: string;
  readonly value: Value;
  readonly limit: SettingLimit;
  readonly invalid: boolean;
  readonly disabled: boolean;
  /** Id of the element with the help and the problem. */
  readonly describedBy: string;
  readonly onchange: (value: Value) => void;
}

/** The LoRA files to choose from, and the way to others. */
export interface LoraChoice {
  readonly offered: readonly LoraEntry[];
  /** Where people put their own; "" until it is known. */
  readonly folder: string;
  /** The files are to be looked at anew. */
  look(): void;
  /** Asks for a file, and gives it to `take` if one is chosen. */
  chooseFile(take: (path: string) => void): void;
}

export type NumberSetting = IntegerSetting | RealSetting;

/** Settings that another field shows with its own: the size is one field. */
export const partOfAnother: readonly SettingId[] = ["aspectRatio", "width", "height"];

/** The range with the model's limits. */
export function rangeOf(setting: NumberSetting, limit: SettingLimit): { min: number; max: number } {
  return { min: limit.min ?? setting.min, max: limit.max ?? setting.max };
}

/** The allowed choices, in the catalogue's order. */
export function choicesOf(choices: readonly Choice[], limit: SettingLimit): readonly Choice[] {
  return limit.choices === undefined ? choices : choices.filter((choice) => limit.choices?.includes(choice.id));
}

/** Values of a number with so few that each can be a button; null otherwise. */
export function fewValues(setting: NumberSetting, limit: SettingLimit): readonly number[] | null {
  if (setting.kind !== "integer" || setting.absent !== null) return null;
  const { min, max } = rangeOf(setting, limit);
  const count = Math.floor((max - min) / setting.step) + 1;
  return count > 6 ? null : Array.from({ length: count }, (_, index) => min + index * setting.step);
}

/** A slider has a hand's breadth of places; what has more, or may be absent, is typed. */
export function suitsSlider(setting: NumberSetting, limit: SettingLimit): boolean {
  if (setting.absent !== null || setting.zero !== undefined) return false;
  const { min, max } = rangeOf(setting, limit);
  return (setting.kind === "real" && setting.scale === "logarithmic") || (max - min) / setting.step <= 400;
}

/** The width up to which choices stand side by side, in characters of all labels. */
const sideBySide = 24;

export function suitsSegments(labels: readonly string[]): boolean {
  // Chinese characters are about two letters wide.
  const width = labels.reduce(
    (sum, label) => sum + [...label].reduce((wide, sign) => wide + (sign > "⺀" ? 2 : 1), 2),
    0,
  );
  return labels.length <= 4 && width <= sideBySide + labels.length * 2;
}
