// A plan that was lowered because memory was full in the middle of a job: what became different, and the sentence that says
// so. How it is chosen lives in app/jobs/lowered-plan.ts.
import type { Settings } from "./settings/derive.ts";

/** What a lowered plan does otherwise. Each costs time; none changes what the picture shows. */
export type PlanChange =
  /** Each part of the model is released before the next one is loaded. */
  | "partByPart"
  | "tileDecode"
  /** The transformer's blocks stay in the computer's memory and pass through the card's. */
  | "streamWeights"
  | "int8TextEncoder"
  /** Less is kept from one step to the next. */
  | "keepLess";

export interface LoweredPlan {
  changes: PlanChange[];
  /** Of the memory that was full: what the job needed in all, and what it could have had. */
  neededBytes: number;
  freeBytes: number;
  /** The graphics card whose memory it was; null: the computer's. */
  deviceName: string | null;
  /** What later attempts plan with. */
  limitBytes: number;
  /** Settings they change besides; the job keeps its own. */
  values: Partial<Settings>;
}

const phrases: Record<PlanChange, string> = {
  partByPart: "one part of the model at a time",
  tileDecode: "the decode in tiles",
  streamWeights: "blocks streamed from memory",
  int8TextEncoder: "an int8 text encoder",
  keepLess: "less kept from step to step",
};

/** "The card was full (needs 9.1 GB, 7.8 GB free); going on with blocks streamed from memory." */
export function loweredSentence(
  { changes, neededBytes, freeBytes, deviceName }: LoweredPlan,
  bytes: (count: number) => string,
): string {
  const what = deviceName === null ? "Memory" : "The card";
  const how = new Intl.ListFormat("en-GB").format(changes.map((change) => phrases[change]));
  return `${what} was full (needs ${bytes(neededBytes)}, ${bytes(freeBytes)} free); going on with ${how}.`;
}
