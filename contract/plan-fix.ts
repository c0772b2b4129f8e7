// A change of settings that makes a run fit into memory: offered before it as a button, and beside the error of one that
// ran out.
import type { Settings } from "./settings/derive.ts";

export interface PlanFix {
  /** "tile the decode", "480p", "int8": stable words for the interface to translate. */
  readonly id:
    | "tileDecode"
    | "smallerSize"
    | "fewerFrames"
    | "int8"
    | "int8TextEncoder"
    | "removeBudget"
    | "streamWeights"
    | "runOnCpu";
  readonly values: Partial<Settings>;
  /** What it would need then. */
  readonly peakBytes: number;
}
