// The addon's whole surface, and the one place that names its shapes. Loading it: worker.ts only.
import type { EngineSettings } from "../../contract/settings/derive.ts";

/** Files of one model; textLength is the number of context rows (512 unless config.json says otherwise). */
export interface ModelFiles {
  /** The transformer; of a model of two experts, the one for high noise. */
  dit: string;
  /** The expert for low noise; absent for models of one transformer. */
  ditLow?: string;
  vae: string;
  textEncoder: string;
  textLength: number;
}

/** A LoRA that is added to the transformers' weights. */
export interface EngineLora {
  /** Absolute. */
  path: string;
  /** -2 to 2; at 0 it has no effect. */
  strength: number;
  /** Of a model of two experts, those it is added to. */
  expert: "both" | "high" | "low";
}

/** One generation (addon/include/rushes/engine.h, rushes_request). */
export interface GenerateRequest {
  settings: Partial<EngineSettings>;
  ids: Int32Array;
  embeddingPath?: string;
  latentsPath?: string;
  stepLatentsPrefix?: string;
  resumePath?: string;
  startStep?: number;
  /** The first picture: RGB, settings.width * settings.height * 3 bytes. A transformer of 36 input channels needs one,
   * another refuses one. */
  image?: Uint8Array;
  loras?: EngineLora[];
  /** Ask for a preview event after each step but the last, whose latents are decoded anyway. */
  preview?: boolean;
}

/** What happens during a call, in order. */
export type EngineEvent =
  /** Before anything is loaded: what the call is planned to take with the memory that is free now. One that does not fit
   * is refused next. */
  | { kind: "plan"; plan: Plan }
  | { kind: "progress"; stage: StageName; fraction: number; step: number; steps: number }
  | { kind: "log"; level: "debug" | "info" | "warning"; line: string }
  /** The middle of the clip as it is estimated after this step, RGB, width * height * 3 bytes. `approximate`: its
   * colours computed from the latents by a linear map, one pixel for each 8x8 of the video; else decoded. */
  | { kind: "preview"; step: number; rgb: Uint8Array; width: number; height: number; approximate: boolean }
  /** A stage is over. `finished` is false when it failed or was cancelled on the way. */
  | ({ kind: "stage"; finished: boolean } & StageReport)
  | { kind: "packet"; data: Uint8Array; keyFrame: boolean; frame: number }
  | { kind: "poster"; rgb: Uint8Array; width: number; height: number };

/** In the order in which they run; "image" (the first picture is encoded) only in jobs with a picture. */
export type StageName = "text" | "image" | "load" | "sample" | "decode";

export interface StageReport {
  stage: StageName;
  seconds: number;
  /** The most the engine held in main memory during the stage. */
  peakBytes: number;
  /** The same of the graphics card's memory; absent or null where the job runs without one. */
  deviceBytes?: number | null;
}

/** Linear layers held as int8: how many, their bytes, and what they take at 16 bit. */
export interface Int8Report {
  layers: number;
  bytes16: number;
  bytes: number;
  /** Every one with its size, out x in: "blocks.0.self_attn.q [1536x1536]". */
  names: string[];
}

/** A change that makes a plan fit that does not. */
export interface PlanFix {
  id: "int8TextEncoder" | "int8" | "tileDecode" | "fewerFrames" | "removeBudget" | "streamWeights" | "runOnCpu";
  /** The settings to change and their values. */
  settings: Partial<EngineSettings>;
  /** What the job needs then. */
  peakBytes: number;
}

export interface Plan {
  stages: StageReport[];
  /** What the job needs at its highest point. */
  peakBytes: number;
  /** What it may use: the memory budget, else 90% of the memory that is free now or held by the model in memory; 0
   * where the system does not say. */
  freeBytes: number;
  /** The graphics card of a job that runs on one, and what it needs and may use of its memory; absent or null: none. */
  device?: {
    name: string;
    peakBytes: number;
    freeBytes: number;
    /** The transformer's blocks pass through the card's memory. */
    streamed?: boolean;
  } | null;
  /** False: generate will refuse with memory.exhausted. */
  fits: boolean;
  /** What to do then, in one sentence; "" when it fits. */
  advice: string;
  /** Changes that would do, the mildest first; empty when it fits. */
  fixes: PlanFix[];
  seconds: number;
  /** All parts of the model stay in memory together. */
  resident: boolean;
  int8: Omit<Int8Report, "names"> | null;
  settings: EngineSettings;
}

export interface GenerateReport {
  settings: EngineSettings;
  stages: StageReport[];
  int8: Int8Report | null;
  plan: Plan;
  warnings: string[];
  frames: number;
  width: number;
  height: number;
  /** The steps these latents really had, when sampling was stopped early and kept; null otherwise. */
  keptStep: number | null;
}

/** Physical memory, and what of it a new job may take now. */
export interface SystemMemory {
  totalBytes: number;
  freeBytes: number;
}

/** What a header says (rushes_inspect). */
export interface Inspection {
  path: string;
  container: string;
  bytes: number;
  family: string;
  architecture: string;
  layout: string;
  prefix: string;
  sizes: Record<string, number>;
  tensors: number;
  parameters: number;
  dtypes: Record<string, number>;
  quantization: string;
  quantizedLayers: number;
  sla: boolean;
  missing: string[];
  unexpected: string[];
  wrongShape: string[];
  complete: boolean;
  uses: string[];
  refused: string;
  summary: string;
}

/** The graphics card, and why Rushes does not use it. What is not known is absent. */
export interface Gpu {
  /** Null: there is none, or none was looked for. */
  name: string | null;
  /** One sentence; "" where Rushes computes on it. */
  reason: string;
  /** What to do about it, one sentence; "" where nothing is needed. */
  advice?: string;
  /** Compute capability: "9.0". */
  architecture?: string;
  totalBytes?: number;
  /** The newest CUDA that the driver knows: "13.0". */
  driver?: string;
}

export interface Machine {
  cpu: { model: string; cores: number; isa: string[] };
  memory: SystemMemory;
  /** Bytes of physical memory this process holds. */
  residentBytes: number;
  gpu: Gpu;
  libraries: Record<string, string>;
}

/** One kernel on one case; error is null, and problem says why, where it did not finish with a number. */
export interface SelfTestCheck {
  operation: string;
  name: string;
  isa: string;
  case: string;
  error: number | null;
  tolerance: number;
  passed: boolean;
  problem: string;
}

export interface SelfTest {
  checks: SelfTestCheck[];
  passed: number;
  failed: number;
}

/** A model opened by the addon. One call runs at a time; a second rejects with code engine.busy. */
export interface AddonModel {
  generate(request: GenerateRequest, onEvent: (event: EngineEvent) => void): Promise<GenerateReport>;
  decode(
    latentsPath: string,
    settings: Partial<EngineSettings>,
    onEvent: (event: EngineEvent) => void,
  ): Promise<GenerateReport>;
  /** Makes the running call reject with code job.cancelled within 200 ms of work. */
  cancel(): void;
  /** Makes the running generation stop sampling within 200 ms of work and decode its latest estimate; while no step is
   * finished, as soon as one is. Without effect on anything else. */
  keep(): void;
  /** Bytes it holds now: packed weights, and the running job's. Never waits. */
  heldBytes(): number;
  /** Frees its memory, at the end of the running call if there is one. */
  close(): void;
}

/** A finished video's H.264: access units in Annex B form and presentation order, one picture each, the first a key
 * frame with its parameter sets. */
export interface Clip {
  packets: readonly Uint8Array[];
  width: number;
  height: number;
}

export interface Vp9Settings {
  /** Frames a second, 1 to 60. */
  frameRate: number;
  /** 1 to 100, constant. */
  quality: number;
  /** Chosen by the machine, at most 4, when absent. */
  threads?: number;
}

/** What comes out of a clip, in order. `rgb` is width * height * 3 bytes. */
export type ClipEvent =
  { kind: "frame"; frame: number; rgb: Buffer } | { kind: "packet"; data: Buffer; keyFrame: boolean; frame: number };

/** A call that runs beside the models' work, on a thread of its own. */
export interface ClipCall {
  done: Promise<unknown>;
  /** Makes it reject with code job.cancelled after the picture it is at. */
  cancel(): void;
}

/** Rejections are Errors with `code`, `message` (the sentence), `advice`, `detail`, and, where bytes were short,
 * `neededBytes` and `freeBytes`. */
/** What the benchmark of a whole clip is made of; absent: all layers, 832x480, 17 frames, 4 steps. */
export interface EndToEndOptions {
  /** Its models are written here once, and stay. */
  folder: string;
  layers?: number;
  textLayers?: number;
  width?: number;
  height?: number;
  frames?: number;
  steps?: number;
  threads?: number;
}

export interface Addon {
  /** Reads and checks headers only; weights are packed by the first job. */
  openModel(files: ModelFiles): Promise<AddonModel>;
  inspect(path: string): Promise<Inspection>;
  /** What a job of these files would need. Reads headers only, keeps them for the next question (release() lets them
   * go), and never waits for a running call. `warm`: the model in memory, whose packed weights count as loaded when it
   * is of these files and as free when it is of others. No ids: the latents are there, only the decode is planned. Rejects with settings.invalid and checkpoint.*; a job that does
   * not fit is a plan with `fits` false. */
  plan(
    files: ModelFiles,
    settings: Partial<EngineSettings>,
    idCount: number,
    warm: AddonModel | null,
    loras?: EngineLora[],
  ): Promise<Plan>;
  /** Lets go of headers kept for plans and gives freed memory back to the system. */
  release(): void;
  /** Memory at this moment; never waits. */
  memory(): SystemMemory & { residentBytes: number };
  machine(): Machine;
  selfTest(threads: number): Promise<SelfTest>;
  /** Times the operations; the JSON of engine/bench.h. `line` gets the table as it grows. */
  bench(
    options: { filter?: string; threads?: number; quick?: boolean },
    line: (text: string) => void,
  ): Promise<unknown>;
  /** Times a whole clip of random weights of real sizes, stage by stage; the JSON of engine/bench_end_to_end.h. Rejects
   * with disk.full where the folder has no room for its models. */
  benchEndToEnd(options: EndToEndOptions, line: (text: string) => void): Promise<unknown>;
  /** Keeps what plans are measured with in this folder for the next process; never fails. Absent in an addon that was
   * built before it, which works all the same. */
  keepRates?: (folder: string) => void;
  /** Pictures from `first` on as "frame" events; rejects with file.unreadable where the clip is damaged or has another
   * size. Nothing waits for the listener: ask for no more pictures than fit into memory. */
  decodeClip(clip: Clip, first: number, onEvent: (event: ClipEvent) => void): ClipCall;
  /** The clip as VP9 (BT.709 limited range), one "packet" event a picture. */
  encodeVp9(clip: Clip, settings: Vp9Settings, onEvent: (event: ClipEvent) => void): ClipCall;
  /** The settings struct after the addon read it: what default -> struct -> echo must keep. */
  echo(settings: Partial<EngineSettings>): EngineSettings;
}
