// What the studio's process and the engine's process say to each other.
import type { ErrorRecord } from "../../contract/errors.ts";
import type { EngineSettings } from "../../contract/settings/derive.ts";
import type {
  EndToEndOptions,
  Clip,
  ClipEvent,
  EngineEvent,
  EngineLora,
  GenerateReport,
  GenerateRequest,
  Inspection,
  Machine,
  ModelFiles,
  Plan,
  SelfTest,
  SystemMemory,
  Vp9Settings,
} from "./addon.ts";

type Values = Partial<EngineSettings>;

/** The engine at this moment. */
export interface EngineStatus {
  memory: SystemMemory;
  /** Bytes of physical memory the engine's process holds. */
  residentBytes: number;
  /** The model in memory, and the bytes of its packed weights and of the job that runs on it. */
  warm: { files: ModelFiles; residentBytes: number } | null;
  /** A generation or decode is running. */
  busy: boolean;
}

/** Every call: its arguments and what it gives. */
export interface EngineCalls {
  inspect: { arguments: [path: string]; result: Inspection };
  machine: { arguments: []; result: Machine };
  selfTest: { arguments: [threads: number]; result: SelfTest };
  bench: { arguments: [options: { filter?: string; threads?: number; quick?: boolean }]; result: unknown };
  benchEndToEnd: { arguments: [options: EndToEndOptions]; result: unknown };
  echo: { arguments: [settings: Values]; result: EngineSettings };
  /** Answered at once, whatever is running. */
  status: { arguments: []; result: EngineStatus };
  /** Answered from headers alone, also while a generation runs; opens no model. */
  plan: { arguments: [files: ModelFiles, settings: Values, idCount: number, loras?: EngineLora[]]; result: Plan };
  generate: { arguments: [files: ModelFiles, request: GenerateRequest]; result: GenerateReport };
  decode: { arguments: [files: ModelFiles, latentsPath: string, settings: Values]; result: GenerateReport };
  /** Forgets the warm model and gives its memory back to the system; engine.busy while it works. */
  unload: { arguments: []; result: null };
  /** These two run beside a generation. */
  decodeClip: { arguments: [clip: Clip, first: number]; result: null };
  encodeVp9: { arguments: [clip: Clip, settings: Vp9Settings]; result: null };
}

export type EngineMethod = keyof EngineCalls;

export type ToEngine =
  /** Sent before any call, so that every thread made for one stands back too: whoever else needs the machine's processors
   * gets them first. */
  | { kind: "background" }
  | { kind: "call"; id: number; method: EngineMethod; arguments: unknown[] }
  /** Cancels the running call of that number. */
  | { kind: "cancel"; id: number }
  /** Stops the sampling of the running generation of that number and keeps its latest estimate. */
  | { kind: "keep"; id: number }
  /** Where the engine keeps what it measures about this machine; before the first call. */
  | { kind: "cache"; folder: string };

/** What a call says before it ends. */
export type CallEvent = EngineEvent | ClipEvent | { kind: "line"; line: string };

export type FromEngine =
  | { kind: "event"; id: number; event: CallEvent }
  | { kind: "result"; id: number; value: unknown }
  | { kind: "error"; id: number; error: ErrorRecord };
