// rushes history [words]: lists the library's jobs, or searches their prompts.
import { RushesError } from "../../../contract/errors.ts";
import { type Job, jobStates, type JobState } from "../../../contract/job.ts";
import { openStudio } from "../../studio/open-studio.ts";
import type { Studio } from "../../studio/studio.ts";
import { type Command, exitCodes, type OptionValues, textOption } from "../context.ts";
import { formatDate, formatTable, shortenPrompt } from "../format.ts";

export const history: Command = async ({ output, library }, words, options) => {
  const query = readQuery(options);
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    const jobs = words.length > 0 ? studio.search(words.join(" "), query) : studio.list(query);
    output.printJson({ jobs });
    if (jobs.length === 0)
      output.print(words.length > 0 ? `Nothing in the history has "${words.join(" ")}".` : "The history is empty.");
    else output.print(formatTable(jobs.map(jobRow)));
    for (const { id, error } of jobs)
      if (output.verbose && error) output.print(`${id}: error (${error.code}): ${error.sentence}`);
    return exitCodes.done;
  } finally {
    await studio.close();
  }
};

function readQuery(options: OptionValues): NonNullable<Parameters<Studio["list"]>[0]> {
  const limit = textOption(options, "limit") ?? "50";
  if (!/^[1-9]\d{0,5}$/.test(limit))
    throw new RushesError("usage.invalid", {
      sentence: `--limit is a whole number from 1, not "${limit}".`,
      advice: "",
    });
  const state = textOption(options, "state");
  if (state !== undefined && !isState(state)) {
    const sentence = `--state is one of ${jobStates.join(", ")}, not "${state}".`;
    throw new RushesError("usage.invalid", { sentence, advice: "" });
  }
  return { limit: Number(limit), ...(state === undefined ? {} : { state }) };
}

function isState(state: string): state is JobState {
  return (jobStates as readonly string[]).includes(state);
}

function jobRow(job: Job): (string | number)[] {
  const what = job.video?.path ?? (job.error ? job.error.code : "");
  return [job.id, formatDate(job.createdAt), job.state, job.model, String(job.seed), shortenPrompt(job.prompt), what];
}
