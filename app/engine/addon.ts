// The addon's whole surface, and the one place that names its shapes. Loading it: worker.ts only.
import type { EngineSettings } from "../../contract/settings/derive.ts";

/** Files of one model; textLength is the number of context rows (512 unless config.json says otherwise). */
export interface ModelFiles {
  dit: string;
  vae: string;
  textEncoder: string;
  textLength: number;
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
  /** Ask for preview events after each step. */
  preview?: boolean;
}

/** What happens during a call, in order. */
export type EngineEvent =
  | { kind: "progress"; stage: StageName; fraction: number; step: number; steps: number }
  | { kind: "log"; level: "debug" | "info" | "warning"; line: string }
  | { kind: "preview"; step: number; rgb: Buffer; width: number; height: number }
  | { kind: "packet"; data: Buffer; keyFrame: boolean; frame: number }
  | { kind: "poster"; rgb: Buffer; width: number; height: number };

export type StageName = "text" | "load" | "sample" | "decode";

export interface StageReport {
  stage: StageName;
  seconds: number;
  peakBytes: number;
}

export interface Int8Report {
  layers: number;
  bytes16: number;
  bytes: number;
  names: string[];
}

export interface Plan {
  stages: StageReport[];
  peakBytes: number;
  seconds: number;
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

export interface Machine {
  cpu: { model: string; cores: number; isa: string[] };
  memory: { totalBytes: number; freeBytes: number };
  gpu: { name: string | null; reason: string };
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
  plan(settings: Partial<EngineSettings>, idCount: number): Promise<Plan>;
  generate(request: GenerateRequest, onEvent: (event: EngineEvent) => void): Promise<GenerateReport>;
  decode(
    latentsPath: string,
    settings: Partial<EngineSettings>,
    onEvent: (event: EngineEvent) => void,
  ): Promise<GenerateReport>;
  /** Makes the running call reject with code job.cancelled within 200 ms of work. */
  cancel(): void;
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
export interface Addon {
  /** Reads and checks headers only; weights are packed by the first job. */
  openModel(files: ModelFiles): Promise<AddonModel>;
  inspect(path: string): Promise<Inspection>;
  machine(): Machine;
  selfTest(threads: number): Promise<SelfTest>;
  /** Times the operations; the JSON of engine/bench.h. `line` gets the table as it grows. */
  bench(
    options: { filter?: string; threads?: number; quick?: boolean },
    line: (text: string) => void,
  ): Promise<unknown>;
  /** Pictures from `first` on as "frame" events; rejects with file.unreadable where the clip is damaged or has another
   * size. Nothing waits for the listener: ask for no more pictures than fit into memory. */
  decodeClip(clip: Clip, first: number, onEvent: (event: ClipEvent) => void): ClipCall;
  /** The clip as VP9 (BT.709 limited range), one "packet" event a picture. */
  encodeVp9(clip: Clip, settings: Vp9Settings, onEvent: (event: ClipEvent) => void): ClipCall;
  /** The settings struct after the addon read it: what default -> struct -> echo must keep. */
  echo(settings: Partial<EngineSettings>): EngineSettings;
}
