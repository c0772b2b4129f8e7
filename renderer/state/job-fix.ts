// A job that failed for want of memory, once more with the smallest change that fits.
import type { Job } from "../../contract/job.ts";
import { request } from "../bridge.ts";
import { retryJob } from "./retry-job.ts";
import { jobSettings, ownValuesOf, pictureOf } from "./use-settings.ts";

/** Another video with the same seed where the change shows in the picture; else the same job, from its last finished step.
 * Gives the number of the job that runs. */
export async function runWithFix(job: Job): Promise<number | null> {
  const { fix } = job;
  if (fix === null) return null;
  if (fix.id === "removeBudget") {
    await retryJob(job.id, { withoutBudget: true });
    return job.id;
  }
  const values = { ...(await ownValuesOf(jobSettings(job), pictureOf(job))), ...fix.values, seed: job.seed };
  const image = pictureOf(job);
  const { jobs } = await request("queue:add", { drafts: [{ values, ...(image === null ? {} : { image }) }] });
  return jobs[0]?.id ?? null;
}
