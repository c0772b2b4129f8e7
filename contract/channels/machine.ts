// The machine: memory, the warm model, self-test, diagnostics.
import type { Nothing } from "../channels.ts";

export interface MachineState {
  /** What the engine computes on: the graphics card where it can, once the engine has said so. */
  readonly device: {
    /** The CPU's or GPU's name. */
    readonly name: string;
    readonly kind: "cpu" | "gpu";
    /** Memory of the device; equal to `memory` for a CPU. */
    readonly totalBytes: number;
    /** null for a GPU: asking how full a card is would take some of its memory. */
    readonly usedBytes: number | null;
  };
  /** null while the card is used, or nothing is known of one. */
  readonly card: UnusedCard | null;
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  /** Resident bytes of the engine's process; 0 while it does not run. */
  readonly engineBytes: number;
  /** The model whose weights are in memory. */
  readonly warm: { readonly model: string; readonly bytes: number } | null;
  readonly busy: boolean;
}

/** A graphics card that Rushes does not compute on. */
export interface UnusedCard {
  /** null: none was found. */
  readonly name: string | null;
  /** One sentence: why. */
  readonly reason: string;
  /** What to do about it, one sentence, or "". */
  readonly advice: string;
}

export interface SelfTestLine {
  readonly operation: string;
  readonly name: string;
  readonly instructionSet: string;
  readonly case: string;
  readonly passed: boolean;
  readonly error: number | null;
  readonly tolerance: number;
  readonly problem: string;
}

export interface DiagnosticFact {
  readonly group: "program" | "cpu" | "memory" | "gpu" | "libraries" | "folders";
  readonly name: string;
  readonly value: string;
  readonly good: boolean | null;
}

export interface MachineChannels {
  "machine:state": { request: Nothing; reply: { machine: MachineState } };
  /** Gives the warm model's memory back; refused with engine.busy while it works. */
  "machine:unload": { request: Nothing; reply: { machine: MachineState } };
  "machine:selfTest": { request: Nothing; reply: { lines: SelfTestLine[]; passed: number; failed: number } };
  "machine:diagnostics": { request: Nothing; reply: { facts: DiagnosticFact[] } };
  /** The end of the studio's log, newest last. */
  "machine:log": { request: { lines: number }; reply: { text: string } };
}
