// rushes queue [pause | resume | cancel JOBS]: shows what runs and waits in the library, or changes it, whichever program
// runs the jobs.
import { setTimeout as sleep } from "node:timers/promises";
import type { QueueState } from "../../../contract/channels/queue.ts";
import { RushesError } from "../../../contract/errors.ts";
import type { Job } from "../../../contract/job.ts";
import { openStudio } from "../../studio/open-studio.ts";
import type { Studio } from "../../studio/studio.ts";
import { type Command, exitCodes } from "../context.ts";
import { formatSeconds, formatTable, shortenPrompt } from "../format.ts";
import { readJobId } from "../job-id.ts";

/** How long a running job may take to end, milliseconds: most do within a second. */
const endPatience = 5_000;

export const queue: Command = async ({ output, library }, [action, ...words]) => {
  const change = readChange(action, words);
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    await change(studio);
    const { running, waiting, paused, elsewhere, etaSeconds } = studio.queue.state();
    output.printJson({ paused, running, waiting, elsewhere, etaSeconds });
    for (const line of describe({ running, waiting, paused, elsewhere, etaSeconds })) output.print(line);
    return exitCodes.done;
  } finally {
    await studio.close();
  }
};

/** Everything is read before the library is opened, so that a mistake changes nothing. */
function readChange(action: string | undefined, words: readonly string[]): (studio: Studio) => void | Promise<void> {
  if (action === "cancel") {
    const ids = words.map(readJobId);
    if (ids.length > 0) return (studio) => cancel(studio, ids);
    throw misused("No job is named.");
  }
  if (words[0] !== undefined) throw misused(`"${words[0]}" is one word too many.`);
  if (action === undefined) return () => undefined;
  if (action === "pause") return (studio) => studio.queue.pause();
  if (action === "resume") return (studio) => studio.queue.resume();
  throw misused(`"${action}" is nothing a queue can do.`);
}

/** Waits for the program that runs one of them to end it, so that what is printed is what is left. */
async function cancel(studio: Studio, ids: readonly number[]): Promise<void> {
  studio.cancel(...ids);
  const isRunning = () => ids.includes(studio.queue.state().running?.id ?? 0);
  for (const deadline = Date.now() + endPatience; isRunning() && Date.now() < deadline;) await sleep(50);
}

function misused(sentence: string): RushesError {
  return new RushesError("usage.invalid", {
    sentence,
    advice: "Run `rushes queue`, `rushes queue pause`, `rushes queue resume` or `rushes queue cancel JOB`.",
  });
}

function describe(state: Omit<QueueState, "preview">): string[] {
  const { running, waiting, paused, elsewhere, etaSeconds } = state;
  const jobs = [...(running ? [running] : []), ...waiting];
  const lines = jobs.length > 0 ? [formatTable(jobs.map(row))] : ["No job runs or waits."];
  if (etaSeconds !== null) lines.push(`About ${formatSeconds(etaSeconds)} in all.`);
  if (paused) lines.push("The queue is paused; `rushes queue resume` lets it go on.");
  else if (jobs.length > 0 && !elsewhere)
    lines.push("No program runs these jobs: the next `rushes generate`, the window or `rushes serve` does.");
  return lines;
}

function row({ id, state, model, seed, prompt, progress }: Job): (string | number)[] {
  const done = state === "running" && progress ? `${Math.round(100 * progress.overall)}%` : "";
  return [id, state, done, model, String(seed), shortenPrompt(prompt)];
}
