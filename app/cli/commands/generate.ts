// rushes generate: one prompt or a list of them becomes videos.
import { RushesError } from "../../../contract/errors.ts";
import { formatBytes } from "../../../contract/format-bytes.ts";
import type { Int8Summary, Job, JobDetail, JobEvent } from "../../../contract/job.ts";
import { checkSetting } from "../../../contract/settings/derive.ts";
import { openModel } from "../../library/open.ts";
import { type Outcome, type PromptRequest, untilAborted } from "../../library/model.ts";
import { type Collected, collectSources } from "../../settings/collect.ts";
import { resolveSettings } from "../../settings/resolve.ts";
import { invalid } from "../../settings/sources.ts";
import { libraryFolderOf } from "../../settings/library-folder.ts";
import { type Command, exitCodes, textOption } from "../context.ts";
import { formatSeconds } from "../format.ts";
import { JobProgressView, stageName } from "../job-progress.ts";
import type { Output } from "../output.ts";
import { flagValues } from "../setting-flags.ts";

export const generate: Command = async ({ output, signal, library }, words, options) => {
  const collected = await collectSources({
    libraryFolder: libraryFolderOf(library),
    configFile: textOption(options, "config"),
    preset: textOption(options, "preset"),
    flags: flagValues(options),
  });
  const requests = await promptRequests(words, textOption(options, "promptsFile"), collected);
  refuseEarly(requests, collected);

  // "auto" is a model that can do what the prompts ask for, an image beside one of them included.
  const mode = requests.some(({ settings }) => settings?.image) ? "i2v" : collected.choice.mode;
  const choice = { ...collected.choice, ...(mode === undefined ? {} : { mode }) };
  const model = await untilAborted(openModel(library, choice, collected.sources), signal, (late) => {
    void late.close();
  });
  try {
    const reporter = new Reporter(output);
    const outcomes = await model.generateAll(requests, {
      signal,
      onAccepted: (jobs) => {
        reporter.accepted(jobs);
      },
      onEvent: (event, index) => {
        reporter.event(event, index);
      },
      onOutcome: (outcome) => {
        reporter.outcome(outcome);
      },
    });
    return reportAll(output, outcomes);
  } finally {
    await model.close();
  }
};

/** The prompts of the command, each with its settings: exactly one of PROMPT, --prompt (or a prompt in a config file or
 * preset) and --prompts-file. */
async function promptRequests(
  words: readonly string[],
  promptsFile: string | undefined,
  { sources, savePath }: Collected,
): Promise<PromptRequest[]> {
  const copy = savePath === undefined ? {} : { savePath };
  if (words.length > 1) {
    throw new RushesError("usage.invalid", {
      sentence: `There are ${words.length} prompts: ${words.map((word) => `"${word}"`).join(", ")}.`,
      advice:
        "Put the prompt in quotes. A value of --quant-linear or a switch stands behind =, as in --quant-linear=off.",
    });
  }
  const flag = sources.find(({ kind }) => kind === "flag")?.values.prompt;
  const given = [words[0], flag, promptsFile].filter((source) => source !== undefined);
  if (given.length > 1) {
    throw new RushesError("usage.invalid", {
      sentence: "The prompt is given more than once.",
      advice: "Give one of PROMPT, --prompt and --prompts-file.",
    });
  }
  if (promptsFile !== undefined) {
    const { readPromptsFile } = await import("../../settings/prompts-file.ts");
    return readPromptsFile(promptsFile).map(({ prompt, values, files, savePath: own, origin }) => {
      const ofModel = Object.keys(files).length > 0 ? "model files" : values.model === undefined ? null : "a model";
      if (ofModel === null)
        return { prompt, settings: values, origin, ...(own === undefined ? copy : { savePath: own }) };
      const sentence = `${origin}: a row cannot have ${ofModel} of its own.`;
      throw new RushesError("settings.invalid", { sentence, advice: "Give it as a flag, for all of them." });
    });
  }
  const prompt = words[0] ?? flag ?? sources.findLast(({ values }) => values.prompt)?.values.prompt;
  if (prompt === undefined)
    throw new RushesError("usage.invalid", {
      sentence: "There is no prompt.",
      advice: 'Try: rushes generate "A red ball"',
    });
  return [{ prompt, ...copy }];
}

/** What can be seen to be wrong without reading the model. */
function refuseEarly(requests: readonly PromptRequest[], { sources }: Collected): void {
  for (const { prompt, settings, origin } of requests) {
    const problem = checkSetting("prompt", prompt);
    if (problem) throw invalid(problem, origin ?? null);
    resolveSettings([...sources, { kind: "flag", origin: origin ?? "", values: settings ?? {} }], null);
  }
}

/** Tells what happens to the jobs while they run. */
export class Reporter {
  readonly #output: Output;
  #total = 1;
  #view: JobProgressView | null = null;
  #viewIndex = -1;
  readonly #said = new Set<string>();
  #saidInt8 = false;

  constructor(output: Output) {
    this.#output = output;
  }

  accepted(jobs: readonly Job[]): void {
    this.#total = jobs.length;
    for (const { warnings } of jobs) this.#warn(warnings);
  }

  event(event: JobEvent, index: number): void {
    if (event.kind === "progress") {
      if (this.#viewIndex !== index) {
        this.#view = new JobProgressView(this.#output, this.#total > 1 ? `${index + 1}/${this.#total}  ` : "");
        this.#viewIndex = index;
      }
      this.#view?.show(event.progress);
    } else if (event.kind === "log") this.#log(event.level, event.line);
    else if (event.kind === "waiting") this.#output.waiting(event.sentence);
  }

  outcome({ job, video, error }: Outcome): void {
    this.#view?.end();
    this.#warn(job.warnings);
    if (job.int8 && !this.#saidInt8) this.#output.note(int8Line(job.int8));
    this.#saidInt8 = false;
    if (error && !this.#output.json) this.#output.error(error);
    if (!video) return;
    this.#output.print(video.path);
    if (video.copyPath) this.#output.print(video.copyPath);
    const size = `${video.width}x${video.height}, ${video.frames} frames, seed ${video.seed}, ${formatBytes(video.bytes)}`;
    this.#output.print(size);
    this.#output.print(stagesLine(job));
  }

  #log(level: "debug" | "info" | "warning", line: string): void {
    if (level === "debug") this.#output.debug(line);
    else if (level === "warning") this.#warn([line]);
    else {
      this.#output.note(line);
      this.#saidInt8 ||= /^int8 on /i.test(line);
    }
  }

  #warn(sentences: readonly string[]): void {
    for (const sentence of sentences) {
      if (this.#said.has(sentence)) continue;
      this.#said.add(sentence);
      this.#output.warn(sentence);
    }
  }
}

/** "int8 on 80 linear layers, 12.6 MB -> 6.4 MB" */
export function int8Line({ layers, bytes16, bytes }: Int8Summary): string {
  return `int8 on ${layers} linear layers, ${formatBytes(bytes16)} -> ${formatBytes(bytes)}`;
}

function stagesLine(job: JobDetail): string {
  const stages = job.stages.filter(({ attempt }) => attempt === job.attempts);
  const parts = stages.map(({ stage, seconds }) => `${stageName(stage).toLowerCase()} ${formatSeconds(seconds)}`);
  const sum = stages.reduce((total, { seconds }) => total + seconds, 0);
  return `${parts.join(", ")}: ${formatSeconds(sum)} in all`;
}

/** The end of `generate` and `decode`: --json's object and the exit code. */
export function reportAll(output: Output, outcomes: readonly Outcome[]): number {
  const states = outcomes.map(({ job }) => job.state);
  const failed = outcomes.filter(({ job }) => job.state === "failed").length;
  const made = outcomes.filter(({ video }) => video !== null).length;
  const cancelled = states.includes("cancelled");
  output.printJson({
    state: failed > 0 ? "failed" : cancelled ? "cancelled" : "done",
    videos: outcomes.map(outcomeObject),
  });
  if (outcomes.length > 1) output.print(`${made} of ${outcomes.length} videos made.`);
  if (failed > 0) return exitCodes.failed;
  return cancelled ? exitCodes.cancelled : exitCodes.done;
}

function outcomeObject({ job, video, error }: Outcome): object {
  const stages = job.stages.filter(({ attempt }) => attempt === job.attempts);
  return {
    id: job.id,
    state: job.state,
    prompt: job.prompt,
    model: job.model,
    seed: job.seed,
    path: video?.path ?? null,
    posterPath: video?.posterPath ?? null,
    copyPath: video?.copyPath ?? null,
    width: video?.width ?? null,
    height: video?.height ?? null,
    frames: video?.frames ?? null,
    bytes: video?.bytes ?? null,
    seconds: stages.reduce((total, { seconds }) => total + seconds, 0),
    stages: stages.map(({ stage, seconds, peakBytes, deviceBytes }) => ({ stage, seconds, peakBytes, deviceBytes })),
    device: job.deviceName,
    int8: job.int8,
    settings: job.settings,
    warnings: job.warnings,
    error,
  };
}
