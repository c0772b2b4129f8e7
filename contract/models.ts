// Model manifests: names, files, capabilities, and the defaults and limits a model sets in place of the catalogue's.
// Finding the files on this machine does not live here (app/models).
import type { JobMode } from "./job.ts";
import type { Capability } from "./settings/setting.ts";
import type { SettingLimits, Settings } from "./settings/derive.ts";
import type { FrameSize } from "./settings/resolution.ts";

/** The files of one model, as paths. A manifest holds them relative to its own folder. */
export interface ModelPaths {
  /** The transformer; of a model of two experts, the one for high noise. */
  readonly dit: string;
  /** The expert for low noise; absent for models of one transformer. */
  readonly ditLow?: string;
  readonly vae: string;
  readonly textEncoder: string;
  readonly tokenizer: string;
}

/** Which model: a name ("demo"), or files. A file given beside a name replaces that part of the model; with a
 * transformer of its own an unknown name is a label only (TurboDiffusion's `--model Wan2.1-1.3B --dit_path ...`). */
export interface ModelChoice {
  /** Absent or "auto": a model that can do the `mode`. */
  name?: string;
  /** What is to be made, where it is known; absent: from text. */
  mode?: JobMode;
  /** Of a model of two experts, the one for high noise; a model's own low-noise expert does not go with it. */
  ditPath?: string;
  ditLowPath?: string;
  vaePath?: string;
  textEncoderPath?: string;
  tokenizerPath?: string;
}

export interface ModelManifest {
  /** What --model takes: "demo". */
  readonly id: string;
  readonly name: string;
  /** "wan2.1-t2v" */
  readonly architecture: string;
  readonly files: ModelPaths;
  /** The transformer without quantization, where the model ships both. */
  readonly dit16?: string;
  /** The same of the expert for low noise. */
  readonly ditLow16?: string;
  /** Context rows: 512 unless the model's config.json says otherwise. */
  readonly textLength: number;
  readonly capabilities: readonly Capability[];
  /** Sizes the model is good at, the first one being its default. Empty: the named resolutions. */
  readonly sizes: readonly FrameSize[];
  /** Values the model sets; weaker than a config file, a preset or a flag. */
  readonly defaults: Partial<Settings>;
  readonly limits: SettingLimits;
}

/** A model that Rushes knows by name but does not bring: where TurboDiffusion's instructions put its files. */
export interface KnownModel {
  readonly id: string;
  readonly name: string;
  /** Defaults of thu-ml/TurboDiffusion turbodiffusion/inference/wan2.1_t2v_infer.py; the transformer has none there. */
  readonly files: Omit<ModelPaths, "dit" | "tokenizer">;
}

const turboDiffusionFiles = {
  vae: "checkpoints/Wan2.1_VAE.pth",
  textEncoder: "checkpoints/models_t5_umt5-xxl-enc-bf16.pth",
} as const;

export const knownModels: readonly KnownModel[] = [
  {
    id: "wan2.1-1.3b",
    name: "Wan2.1-1.3B",
    files: turboDiffusionFiles,
  },
  {
    id: "wan2.1-14b",
    name: "Wan2.1-14B",
    files: turboDiffusionFiles,
  },
  {
    id: "wan2.2-a14b",
    name: "Wan2.2-A14B",
    files: turboDiffusionFiles,
  },
];

/** Input channels of a transformer that begins with a picture: 16 of noise, 4 of a mask, 16 of the picture. */
export const pictureChannels = 36;

/** True of a model that makes nothing from text alone. */
export function needsPicture({ capabilities }: Pick<ModelManifest, "capabilities">): boolean {
  return capabilities.includes("i2v") && !capabilities.includes("t2v");
}

/** The known model of that name, whatever its case. */
export function knownModel(name: string): KnownModel | null {
  return knownModels.find(({ id }) => id === name.toLowerCase()) ?? null;
}
