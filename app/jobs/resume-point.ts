// Where an interrupted job continues: its finished latents, else its last finished step, else the beginning.
import { existsSync } from "node:fs";
import type { Job, JobStepLatents } from "../../contract/job.ts";

export type ResumePoint =
  | { kind: "start" }
  | { kind: "step"; step: number; path: string }
  /** Sampling is over; only decoding is left. */
  | { kind: "latents"; path: string };

export function findResumePoint(
  job: Pick<Job, "latentsPath" | "settings">,
  steps: readonly JobStepLatents[],
  exists: (path: string) => boolean = existsSync,
): ResumePoint {
  if (job.latentsPath !== null && exists(job.latentsPath)) return { kind: "latents", path: job.latentsPath };
  const last = steps.filter(({ step, path }) => step < job.settings.numSteps && exists(path)).at(-1);
  return last ? { kind: "step", step: last.step, path: last.path } : { kind: "start" };
}
