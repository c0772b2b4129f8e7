// What the studio's process and the engine's process say to each other.
import type { ErrorRecord } from "../../contract/errors.ts";
import type { EngineSettings } from "../../contract/settings/derive.ts";
import type {
  Clip,
  ClipEvent,
  EngineEvent,
  GenerateReport,
  GenerateRequest,
  Inspection,
  Machine,
  ModelFiles,
  Plan,
  SelfTest,
  Vp9Settings,
} from "./addon.ts";

type Values = Partial<EngineSettings>;

/** Every call: its arguments and what it gives. */
export interface EngineCalls {
  inspect: { arguments: [path: string]; result: Inspection };
  machine: { arguments: []; result: Machine };
  selfTest: { arguments: [threads: number]; result: SelfTest };
  bench: { arguments: [options: { filter?: string; threads?: number; quick?: boolean }]; result: unknown };
  echo: { arguments: [settings: Values]; result: EngineSettings };
  plan: { arguments: [files: ModelFiles, settings: Values, idCount: number]; result: Plan };
  generate: { arguments: [files: ModelFiles, request: GenerateRequest]; result: GenerateReport };
  decode: { arguments: [files: ModelFiles, latentsPath: string, settings: Values]; result: GenerateReport };
  /** Forgets the warm model and its memory. */
  unload: { arguments: []; result: null };
  /** These two run beside a generation. */
  decodeClip: { arguments: [clip: Clip, first: number]; result: null };
  encodeVp9: { arguments: [clip: Clip, settings: Vp9Settings]; result: null };
}

export type EngineMethod = keyof EngineCalls;

export type ToEngine =
  | { kind: "call"; id: number; method: EngineMethod; arguments: unknown[] }
  /** Cancels the running call of that number. */
  | { kind: "cancel"; id: number };

/** What a call says before it ends. */
export type CallEvent = EngineEvent | ClipEvent | { kind: "line"; line: string };

export type FromEngine =
  | { kind: "event"; id: number; event: CallEvent }
  | { kind: "result"; id: number; value: unknown }
  | { kind: "error"; id: number; error: ErrorRecord };
