// Every setting of a generation, declared once. Types, checks, defaults, flags, config keys, the addon's struct and
// docs/settings.md are derived from these entries (derive.ts, flags.ts, tools/generate-settings.ts). How a value is
// found among its sources does not live here (app/settings).

/** What a model must be able to do for a setting to have an effect. */
export type Capability = "distilled" | "base" | "sla" | "i2v" | "twoExperts" | "lora" | "gpu";

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

/** Raised when an id is renamed or a value's meaning changes; stored with presets. */
export const catalogueVersion = 1;

const always = { needs: null, unfit: "say", recorded: true, since: "0.1.0", absent: null } as const;
const basic = { ...always, advanced: false } as const;
const advanced = { ...always, advanced: true } as const;

export const catalogue = [
  {
    ...basic, id: "prompt", kind: "text", label: "Prompt", group: "prompt", order: 1, stage: "text", engine: false,
    help: "What the video shows, in English or Chinese.", default: "", minLength: 1, maxLength: 4000,
  },
  {
    ...basic, id: "mode", kind: "choice", label: "Mode", group: "prompt", order: 2, stage: "sample", engine: false,
    help: "From a sentence alone, or from a sentence and a picture. A picture switches to Image to Video.",
    default: "t2v", choices: [{ id: "t2v", label: "Text to Video" }, { id: "i2v", label: "Image to Video" }],
  },
  {
    ...basic, id: "image", kind: "text", label: "Image", group: "prompt", order: 3, stage: "sample", engine: false,
    needs: "i2v", unfit: "refuse", absent: "no image", aliases: ["image_path"],
    help: "The picture the video starts from, as a file.", default: null, minLength: 1, maxLength: 4096,
  },
  {
    ...basic, id: "model", kind: "text", label: "Model", group: "model", order: 1, stage: "load", engine: false,
    help: "A model's name; auto takes the best one that is installed and fits.", default: "auto", minLength: 1,
    maxLength: 200,
  },
  {
    ...basic, id: "resolution", kind: "resolution", label: "Resolution", group: "size", order: 1, stage: "sample",
    engine: false, aliases: ["size"], imageDefault: "720p",
    help: "480p or 720p, or WIDTHxHEIGHT in multiples of 16.", default: "480p",
    choices: [{ id: "480p", label: "480p" }, { id: "720p", label: "720p" }],
  },
  {
    ...basic, id: "aspectRatio", kind: "choice", label: "Aspect", group: "size", order: 2, stage: "sample",
    engine: false, help: "Width to height, for 480p and 720p.", default: "16:9",
    choices: [
      { id: "16:9", label: "16:9" }, { id: "4:3", label: "4:3" }, { id: "1:1", label: "1:1" },
      { id: "3:4", label: "3:4" }, { id: "9:16", label: "9:16" },
    ],
  },
  {
    ...advanced, id: "width", kind: "integer", label: "Width", group: "size", order: 3, stage: "sample", engine: true,
    help: "Width of the video; overrides the resolution.", default: null, absent: "from the resolution", unit: "px",
    min: 16, max: 4096, step: 16, base: 0, engineDefault: 832,
  },
  {
    ...advanced, id: "height", kind: "integer", label: "Height", group: "size", order: 4, stage: "sample",
    engine: true, help: "Height of the video; overrides the resolution.", default: null,
    absent: "from the resolution", unit: "px", min: 16, max: 4096, step: 16, base: 0, engineDefault: 480,
  },
  {
    ...basic, id: "adaptiveResolution", kind: "boolean", label: "Match the image's shape", group: "size", order: 5,
    stage: "sample", engine: false, needs: "i2v",
    help: "Keep the area of the resolution and take the shape of the image.", default: true,
  },
  {
    ...basic, id: "imageFit", kind: "choice", label: "Image fit", group: "size", order: 6, stage: "sample",
    engine: false, needs: "i2v", help: "How an image of another shape fills the frame.", default: "fill",
    choices: [{ id: "fit", label: "Fit" }, { id: "fill", label: "Fill" }, { id: "stretch", label: "Stretch" }],
  },
  {
    ...basic, id: "numFrames", kind: "integer", label: "Frames", group: "size", order: 7, stage: "sample",
    engine: true, help: "Length of the video: 4n+1 frames, 16 a second.", default: 81, unit: "frames",
    min: 5, max: 241, step: 4, base: 1,
  },
  {
    ...basic, id: "numSteps", kind: "integer", label: "Steps", group: "sampling", order: 1, stage: "sample",
    engine: true, help: "Sampling steps: 1 to 4 with a distilled model.", default: 4, min: 1, max: 4, step: 1, base: 1,
  },
  {
    ...basic, id: "seed", kind: "integer", label: "Seed", group: "sampling", order: 2, stage: "sample", engine: true,
    help: "Where the noise starts; the same seed and settings give the same video.", default: null, absent: "random",
    min: 0, max: 9007199254740991, step: 1, base: 0, engineDefault: 0,
  },
  {
    ...basic, id: "numSamples", kind: "integer", label: "Samples", group: "sampling", order: 3, stage: "sample",
    engine: false, help: "How many videos to make, with seed, seed+1, and so on.", default: 1, min: 1, max: 16, step: 1,
    base: 1,
  },
  {
    ...advanced, id: "quantLinear", kind: "choice", label: "Quant Linear", group: "speed", order: 1, stage: "load",
    engine: true, bare: "int8",
    help: "Weight format of the linear layers; auto reads it from the checkpoint and the memory plan.",
    default: "auto",
    choices: [{ id: "auto", label: "Auto" }, { id: "off", label: "Off" }, { id: "int8", label: "Int8" }],
  },
  {
    ...advanced, id: "attentionType", kind: "choice", label: "Attention", group: "speed", order: 2, stage: "sample",
    engine: true, help: "Self-attention; auto is sagesla when the checkpoint has SLA weights, else original.",
    default: "auto",
    choices: [
      { id: "auto", label: "Auto" }, { id: "original", label: "Original" }, { id: "sla", label: "SLA" },
      { id: "sagesla", label: "SageSLA" },
    ],
  },
  {
    ...advanced, id: "slaTopk", kind: "real", label: "SLA Top-K", group: "speed", order: 3, stage: "sample",
    engine: true, needs: "sla",
    help: "Share of the key blocks that get exact attention; 0.15 is recommended for quality.", default: 0.1,
    min: 0.01, max: 1, step: 0.01, scale: "linear",
  },
  {
    ...advanced, id: "sigmaMax", kind: "real", label: "Sigma Max", group: "sampling", order: 4, stage: "sample",
    engine: true, needs: "distilled", imageDefault: 200,
    help: "Noise level of the first step; higher is less diverse and may look better.", default: 80, min: 1,
    max: 1600, step: 1, scale: "logarithmic",
  },
  {
    ...advanced, id: "ode", kind: "boolean", label: "ODE sampling", group: "sampling", order: 5, stage: "sample",
    engine: true, needs: "distilled", help: "Sharper and less robust than the default SDE sampling.", default: false,
  },
  {
    ...advanced, id: "boundary", kind: "real", label: "Expert boundary", group: "sampling", order: 6, stage: "sample",
    engine: false, needs: "twoExperts", help: "Noise level at which the low-noise expert takes over.", default: 0.9,
    min: 0.5, max: 1, step: 0.005, scale: "linear",
  },
  {
    ...advanced, id: "defaultNorm", kind: "boolean", label: "Original norms", group: "speed", order: 4,
    stage: "sample", engine: true, help: "Round the norms where the original Wan code does.", default: false,
  },
  {
    ...advanced, id: "textEncoderFormat", kind: "choice", label: "Text encoder", group: "speed", order: 5,
    stage: "text", engine: true, help: "Weight format of the text encoder, apart from the transformer's.",
    default: "auto",
    choices: [{ id: "auto", label: "Auto" }, { id: "16-bit", label: "16-bit" }, { id: "int8", label: "Int8" }],
  },
  {
    ...advanced, id: "loras", kind: "loras", label: "LoRA", group: "model", order: 2, stage: "load", engine: false,
    needs: "lora", unfit: "refuse", aliases: ["lora"],
    help: "LoRA files as FILE, FILE:STRENGTH or FILE:STRENGTH:EXPERT (strength -2 to 2; expert high, low or both).",
    default: [],
  },
  {
    ...advanced, id: "negativePrompt", kind: "text", label: "Negative prompt", group: "guidance", order: 1,
    stage: "text", engine: false, needs: "base", absent: "model's own", help: "What the video should not show.",
    default: null, minLength: 0, maxLength: 4000,
  },
  {
    ...advanced, id: "guidanceScale", kind: "real", label: "Guidance scale", group: "guidance", order: 2,
    stage: "sample", engine: false, needs: "base", absent: "model's own",
    help: "How closely the video follows the prompt.", default: null, min: 0, max: 30, step: 0.1, scale: "linear",
  },
  {
    ...advanced, id: "flowShift", kind: "real", label: "Flow shift", group: "guidance", order: 3, stage: "sample",
    engine: false, needs: "base", absent: "model's own", help: "Moves the noise levels towards the noisy end.",
    default: null, min: 0.1, max: 100, step: 0.1, scale: "linear",
  },
  {
    ...advanced, id: "scheduler", kind: "choice", label: "Scheduler", group: "guidance", order: 4, stage: "sample",
    engine: false, needs: "base", absent: "model's own", help: "How a base model steps from noise to video.",
    default: null, choices: [{ id: "unipc", label: "UniPC" }, { id: "euler", label: "Euler" }],
  },
  {
    ...advanced, id: "device", kind: "choice", label: "Device", group: "machine", order: 1, stage: "load",
    engine: true, help: "Where the model runs; reference is slow and exact.", default: "auto",
    choices: [{ id: "auto", label: "Auto" }, { id: "cpu", label: "CPU" }, { id: "reference", label: "Reference" }],
  },
  {
    ...advanced, id: "precision", kind: "choice", label: "Precision", group: "machine", order: 2, stage: "load",
    engine: true, help: "Number type of the computation; auto takes bf16 where the CPU has it.", default: "auto",
    choices: [{ id: "auto", label: "Auto" }, { id: "fp32", label: "fp32" }, { id: "bf16", label: "bf16" }],
  },
  {
    ...advanced, id: "threads", kind: "integer", label: "Threads", group: "machine", order: 3, stage: "load",
    engine: true, help: "CPU threads; 0 takes every core.", default: 0, zero: "auto", unit: "threads", min: 0,
    max: 1024, step: 1, base: 0,
  },
  {
    ...advanced, id: "memoryBudget", kind: "real", label: "Memory budget", group: "machine", order: 4, stage: "load",
    engine: true, help: "Memory the run may take; 0 takes what is free.", default: 0, zero: "auto", unit: "GiB",
    min: 0, max: 4096, step: 0.5, scale: "linear",
  },
  {
    ...advanced, id: "offload", kind: "choice", label: "Offload", group: "machine", order: 5, stage: "load",
    engine: false, needs: "gpu", help: "Keep weights in main memory and stream them to the GPU.", default: "auto",
    choices: [{ id: "auto", label: "Auto" }, { id: "off", label: "Off" }, { id: "on", label: "On" }],
  },
  {
    ...advanced, id: "vaeTiling", kind: "choice", label: "VAE tiling", group: "machine", order: 6, stage: "decode",
    engine: true, help: "Decode in tiles to save memory; auto asks the memory plan.", default: "auto", bare: "on",
    choices: [{ id: "auto", label: "Auto" }, { id: "off", label: "Off" }, { id: "on", label: "On" }],
  },
  {
    ...advanced, id: "fps", kind: "integer", label: "Frame rate", group: "output", order: 1, stage: "file",
    engine: false, help: "Frames a second of the file; the models move at 16.", default: 16, unit: "fps", min: 1,
    max: 60, step: 1, base: 0,
  },
  {
    ...advanced, id: "codec", kind: "choice", label: "Codec", group: "output", order: 2, stage: "file", engine: false,
    help: "Form of the file.", default: "h264", choices: [{ id: "h264", label: "H.264 MP4" }],
  },
  {
    ...advanced, id: "quality", kind: "integer", label: "Quality", group: "output", order: 3, stage: "file",
    engine: true, help: "Picture quality of the file; higher is larger.", default: 80, min: 1, max: 100, step: 1,
    base: 0,
  },
] as const satisfies readonly Setting[];
