// What an entry of the settings catalogue states. The entries are in catalogue.ts.

/** What a model must be able to do for a setting to have an effect. One with "i2v" and without "t2v" needs a picture. */
export type Capability = "distilled" | "base" | "sla" | "t2v" | "i2v" | "twoExperts" | "lora" | "gpu";

/** The part of a run that a change of the setting makes run again. */
export type AffectedStage = "text" | "load" | "sample" | "decode" | "file";

export type SettingGroup = "prompt" | "model" | "size" | "sampling" | "speed" | "guidance" | "machine" | "output";

export interface Choice {
  /** Stable for ever: what files and the database hold. */
  readonly id: string;
  readonly label: string;
}

interface SettingCore {
  /** Stable for ever; a changed id goes through renames.ts. */
  readonly id: string;
  readonly label: string;
  readonly help: string;
  readonly group: SettingGroup;
  /** Place inside its group. */
  readonly order: number;
  /** Folded under Advanced Settings. */
  readonly advanced: boolean;
  /** Without this capability of the model the setting does nothing. */
  readonly needs: Capability | null;
  /** What is done when the model lacks it: mention and record the value, or refuse the job. */
  readonly unfit: "say" | "refuse";
  readonly stage: AffectedStage;
  /** Stored with every job. */
  readonly recorded: boolean;
  /** First version that has it. */
  readonly since: string;
  /** A field of the addon's struct. */
  readonly engine: boolean;
  /** null is allowed and means this ("random", "model's own"). */
  readonly absent: string | null;
  /** Other spellings that flags and config files accept, in snake_case; TurboDiffusion's where they differ. */
  readonly aliases?: readonly string[];
  /** The default in Image to Video mode, where it differs. */
  readonly imageDefault?: string | number | boolean;
}

export interface TextSetting extends SettingCore {
  readonly kind: "text";
  readonly default: string | null;
  readonly minLength: number;
  readonly maxLength: number;
}

export interface IntegerSetting extends SettingCore {
  readonly kind: "integer";
  readonly default: number | null;
  readonly min: number;
  readonly max: number;
  /** Allowed values are base + k * step. */
  readonly step: number;
  readonly base: number;
  readonly unit?: string;
  /** What 0 stands for, where it stands for something. */
  readonly zero?: string;
  /** The addon's own default, where the setting is null until it is resolved. */
  readonly engineDefault?: number;
}

export interface RealSetting extends SettingCore {
  readonly kind: "real";
  readonly default: number | null;
  readonly min: number;
  readonly max: number;
  /** Step of a slider; any value in the range is valid. */
  readonly step: number;
  readonly scale: "linear" | "logarithmic";
  readonly unit?: string;
  readonly zero?: string;
}

export interface BooleanSetting extends SettingCore {
  readonly kind: "boolean";
  readonly default: boolean;
}

export interface ChoiceSetting extends SettingCore {
  readonly kind: "choice";
  readonly default: string | null;
  readonly choices: readonly Choice[];
  /** The choice that the flag without a value, or `true` in a file, stands for; `false` stands for "off". */
  readonly bare?: string;
}

/** A named resolution ("480p") or a size in pixels ("832x480", multiples of 16). */
export interface ResolutionSetting extends SettingCore {
  readonly kind: "resolution";
  readonly default: string;
  readonly choices: readonly Choice[];
}

/** LoRA files with their strength and the expert they go to. */
export interface LoraListSetting extends SettingCore {
  readonly kind: "loras";
  readonly default: readonly [];
}

export type Setting =
  TextSetting | IntegerSetting | RealSetting | BooleanSetting | ChoiceSetting | ResolutionSetting | LoraListSetting;
