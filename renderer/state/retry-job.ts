// A failed or cancelled job once more.
import { RushesError } from "../../contract/errors.ts";
import type { RetryChanges } from "../../contract/job.ts";
import { request } from "../bridge.ts";

/** Puts the job back into the queue. That it has begun already is what was asked for, by the first half of a double click. */
export async function retryJob(jobId: number, changes: RetryChanges = {}): Promise<void> {
  try {
    await request("queue:retry", { jobId, ...changes });
  } catch (error) {
    if (!(error instanceof RushesError) || error.code !== "job.started") throw error;
  }
}
