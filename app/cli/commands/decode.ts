// rushes decode JOB: makes the video of a job again from its saved latents, without sampling.
import { untilAborted, waitForOutcome } from "../../library/model.ts";
import { openStudio } from "../../studio/open-studio.ts";
import type { Command } from "../context.ts";
import { readJobId } from "../job-id.ts";
import { Reporter, reportAll } from "./generate.ts";

export const decode: Command = async ({ output, signal, library }, words) => {
  const jobId = readJobId(words[0]);
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    const job = await untilAborted(studio.decodeAgain(jobId), signal, (late) => {
      studio.cancel(late.id);
    });
    const reporter = new Reporter(output);
    reporter.accepted([job]);
    const outcome = await waitForOutcome(studio, job.id, signal, (event) => {
      reporter.event(event, 0);
    });
    reporter.outcome(outcome);
    return reportAll(output, [outcome]);
  } finally {
    await studio.close();
  }
};
