// The form: what the values of a draft come to, before anything is accepted.
import type { ErrorRecord } from "../errors.ts";
import type { StageName } from "../job.ts";
import type { PlanFix } from "../plan-fix.ts";
import type { SettingId, SettingProblem, Settings } from "../settings/derive.ts";

/** What a form holds: only what the user set; everything else is inherited. The prompt and the model are values too. */
export interface Draft {
  readonly values: Partial<Settings>;
  /** The preset whose values lie beneath the form's; absent or null: none. One that is gone is as none. */
  readonly presetId?: string | null;
  /** A picture for Image to Video: a path, or an upload's id. */
  readonly image?: { readonly path: string } | { readonly uploadId: string };
}

/** How a pasted or opened list of prompts is written. */
export const promptForms = ["lines", "txt", "csv", "json", "jsonl"] as const;
export type PromptForm = (typeof promptForms)[number];

/** Where a value comes from, weakest first. */
export const valueSources = ["default", "model", "config", "preset", "form"] as const;
export type ValueSource = (typeof valueSources)[number];

export interface StagePlan {
  readonly stage: StageName;
  /** As the engine predicts, corrected by what this machine took for such jobs before. */
  readonly seconds: number;
  readonly peakBytes: number;
  /** Of the graphics card's memory; null where the job runs without one. */
  readonly deviceBytes: number | null;
}

export interface PlanCard {
  readonly stages: readonly StagePlan[];
  readonly peakBytes: number;
  readonly seconds: number;
  /** True where `seconds` was corrected by at least one finished job of this machine. */
  readonly learnt: boolean;
  readonly freeBytes: number;
  /** The limit the user set, or null. */
  readonly budgetBytes: number | null;
  /** The graphics card the job would run on; null: it runs without one. */
  readonly device: {
    readonly name: string;
    readonly peakBytes: number;
    /** What the job may use of its memory. */
    readonly freeBytes: number;
  } | null;
  readonly fits: boolean;
  readonly fixes: readonly PlanFix[];
}

/** What a draft comes to. Never a refusal: what is wrong is said in `problems`, and the rest is still answered. */
export interface DraftCheck {
  /** Every setting with the value that holds: "auto" stays, the seed stays null where it will be drawn, and in place of a
   * value of the form that cannot be used stands what is inherited. */
  readonly settings: Settings;
  /** What those left at "auto" would run with, as far as that is known. */
  readonly automatic: Partial<Settings>;
  readonly sources: Readonly<Record<SettingId, ValueSource>>;
  /** Settings that do nothing for the chosen model: not shown. */
  readonly hidden: readonly SettingId[];
  /** Values that would be there had the form set nothing: what a reset goes back to. */
  readonly inherited: Settings;
  readonly prompt: {
    readonly words: number;
    readonly tokens: number;
    readonly tokenLimit: number;
    /** True when the model will not read the end. */
    readonly cut: boolean;
  } | null;
  /** Noise level of each step, e.g. 0.988 0.934 0.853 0.609 (settings/noise-levels.ts, which a form may call itself). */
  readonly noiseLevels: readonly number[];
  readonly frameSize: { readonly width: number; readonly height: number } | null;
  readonly problems: readonly SettingProblem[];
  /** Why the job would be refused although every value is in range (a missing file, a model that cannot do it). */
  readonly refusal: ErrorRecord | null;
  readonly warnings: readonly string[];
  readonly plan: PlanCard | null;
}

export interface GenerateChannels {
  "generate:check": { request: { draft: Draft }; reply: DraftCheck };
  /** What `{red|blue} ball` or several lines come to: every combination, in order. At most 500 prompts; `total` says how
   * many there would be. */
  "generate:expand": {
    request: { text: string; form: PromptForm };
    reply: { drafts: Draft[]; total: number; problems: string[] };
  };
  /** The exact line that makes the same video from a terminal. */
  "generate:command": { request: { draft: Draft } | { jobId: number }; reply: { command: string } };
}
