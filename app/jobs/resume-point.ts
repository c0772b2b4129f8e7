// Where an interrupted job continues: its finished latents, else its last finished step, else the beginning.
import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { Job, JobStepLatents } from "../../contract/job.ts";
import type { LibraryFiles } from "./library-files.ts";

export type ResumePoint =
  | { kind: "start" }
  | { kind: "step"; step: number; path: string }
  /** Sampling is over; only decoding is left. */
  | { kind: "latents"; path: string };

/** `weights` names what the job is sampled with now (models/fingerprint.ts); steps made with other weights do not count. */
export function findResumePoint(
  job: Pick<Job, "uid" | "latentsPath" | "settings">,
  steps: readonly JobStepLatents[],
  files: Pick<LibraryFiles, "stepLatentsPath">,
  weights: string,
  exists: (path: string) => boolean = existsSync,
): ResumePoint {
  if (job.latentsPath !== null && exists(job.latentsPath)) return { kind: "latents", path: job.latentsPath };
  const isOurs = ({ step, path }: JobStepLatents) =>
    step < job.settings.numSteps && basename(path) === basename(files.stepLatentsPath(job, weights, step));
  const last = steps.filter((each) => isOurs(each) && exists(each.path)).at(-1);
  return last ? { kind: "step", step: last.step, path: last.path } : { kind: "start" };
}
