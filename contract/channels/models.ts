// Models on this machine and what any checkpoint file is.
import type { Nothing } from "../channels.ts";
import type { SettingLimits, Settings } from "../settings/derive.ts";
import type { FrameSize } from "../settings/resolution.ts";
import type { Capability } from "../settings/setting.ts";

export interface ModelFileEntry {
  readonly role:
    "transformer" | "transformer16" | "lowTransformer" | "lowTransformer16" | "vae" | "textEncoder" | "tokenizer";
  readonly path: string;
  /** null: the file is not there. */
  readonly bytes: number | null;
}

export interface ModelEntry {
  readonly id: string;
  readonly name: string;
  readonly architecture: string;
  /** "ready"; "incomplete": files are missing or cannot be used, `problem` says what and what to do. */
  readonly state: "ready" | "incomplete";
  readonly problem: string | null;
  readonly builtIn: boolean;
  /** What the transformer is: "int8 (TurboDiffusion)", "none", or of both where there are two:
   * "int8 (TurboDiffusion) + 16-bit". */
  readonly quantization: string;
  readonly files: readonly ModelFileEntry[];
  readonly bytes: number;
  readonly capabilities: readonly Capability[];
  /** Sizes it is good at, its default first; empty: the named resolutions. */
  readonly sizes: readonly FrameSize[];
  readonly defaults: Partial<Settings>;
  readonly limits: SettingLimits;
  /** Peak bytes at its default size against this machine's memory; null where headers do not tell. */
  readonly peakBytes: number | null;
  readonly fits: boolean | null;
}

/** What a header says, as the inspector shows it. */
export interface InspectionReport {
  readonly path: string;
  readonly container: string;
  readonly bytes: number;
  readonly family: string;
  readonly architecture: string;
  readonly layout: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly tensors: number;
  readonly parameters: number;
  readonly dtypes: Readonly<Record<string, number>>;
  readonly quantization: string;
  readonly quantizedLayers: number;
  readonly sla: boolean;
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly wrongShape: readonly string[];
  readonly complete: boolean;
  readonly uses: readonly string[];
  /** Why it cannot be used, or "". */
  readonly refused: string;
  readonly summary: string;
  /** The whole report as plain text, for copying. */
  readonly text: string;
}

/** A file that can be chosen as a LoRA by its name. */
export interface LoraEntry {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** null where the file cannot be used. */
  readonly rank: number | null;
  /** Why it cannot be used, or null. */
  readonly problem: string | null;
}

export interface ModelChannels {
  "models:list": { request: Nothing; reply: { models: ModelEntry[]; folders: string[] } };
  /** A checkpoint file or a folder, used in place. What was recognised is said per file. */
  "models:add": {
    request: { path: string };
    reply: { models: ModelEntry[]; notes: { path: string; note: string }[] };
  };
  /** Forgets an added model or folder; files are never deleted. */
  "models:forget": { request: { id: string } | { folder: string }; reply: Nothing };
  /** The LoRA files that a name is enough for: the library's, then those that come with the model; null: with any model.
   * `folder` is where people put their own. */
  "models:loras": { request: { model: string | null }; reply: { loras: LoraEntry[]; folder: string } };
  "models:inspect": { request: { path: string }; reply: { report: InspectionReport } };
  /** Files and folders at a place, for choosing one where there is no native dialog; inside the roots only. */
  "models:browse": {
    request: { folder: string | null };
    reply: {
      folder: string | null;
      parent: string | null;
      entries: { name: string; path: string; isFolder: boolean; bytes: number }[];
    };
  };
}
