// A model that is open in a studio: what `open` returns, and what the command line generates with.
import { existsSync, statSync } from "node:fs";
import { isAbsolute, resolve as resolvePath } from "node:path";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { ModelChoice } from "../../contract/models.ts";
import { isFinal, type Job, type JobDetail, type JobEvent, type JobProgress } from "../../contract/job.ts";
import { checkSetting, type Lora, type Settings } from "../../contract/settings/derive.ts";
import type { Plan } from "../engine/addon.ts";
import { type ResolvedSources, resolveSettings } from "../settings/resolve.ts";
import { invalid, readNamedValues, type SettingSource } from "../settings/sources.ts";
import type { JobRequest, Model as StudioModel, Studio } from "../studio/studio.ts";
import { Video } from "./video.ts";

export interface GenerateOptions {
  /** Aborting cancels: the promise rejects with code job.cancelled. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: JobProgress) => void) | undefined;
}

/** One prompt of several, with settings of its own. */
export interface PromptRequest {
  readonly prompt: string;
  readonly settings?: Partial<Settings>;
  /** An extra copy: a folder or a file. */
  readonly savePath?: string | undefined;
  /** Named in errors: "prompts.csv line 3". */
  readonly origin?: string;
}

/** What became of one job: its video, or its error. */
export interface Outcome {
  readonly job: JobDetail;
  readonly video: Video | null;
  readonly error: RushesError | null;
}

export interface GenerateAllOptions {
  readonly signal?: AbortSignal | undefined;
  /** All jobs are accepted. */
  readonly onAccepted?: ((jobs: readonly Job[]) => void) | undefined;
  readonly onEvent?: ((event: JobEvent, index: number) => void) | undefined;
  readonly onOutcome?: ((outcome: Outcome, index: number) => void) | undefined;
}

/** An open model. Its weights stay warm between generations until `close`. */
export class Model {
  readonly name: string;
  readonly #studio: Studio;
  readonly #choice: ModelChoice;
  readonly #model: StudioModel;
  readonly #sources: readonly SettingSource[];

  /** `open` makes these. `sources` are the settings that hold for every generation, weakest first. */
  constructor(studio: Studio, choice: ModelChoice, model: StudioModel, sources: readonly SettingSource[]) {
    this.#studio = studio;
    this.#choice = choice;
    this.#model = model;
    this.#sources = sources;
    this.name = model.name;
    this.resolve();
  }

  /** Makes one video. Rejects with a RushesError: settings.invalid and other refusals before anything is recorded, the
   * job's own error (memory.exhausted, job.cancelled, ...) after it. */
  async generate(prompt: string, settings: Partial<Settings> = {}, options: GenerateOptions = {}): Promise<Video> {
    const { numSamples } = this.resolve(settings).settings;
    if (numSamples !== 1) {
      const sentence = `generate makes one video, not ${numSamples}.`;
      throw new RushesError("settings.invalid", { sentence, advice: "Use generateAll for several samples." });
    }
    const [outcome] = await this.generateAll([{ prompt, settings }], {
      signal: options.signal,
      onEvent: (event) => {
        if (event.kind === "progress") options.onProgress?.(event.progress);
      },
    });
    if (outcome?.video) return outcome.video;
    throw outcome?.error ?? new RushesError("engine.internal");
  }

  /** Makes every sample of every request, one after the other. All of them are accepted, or none and it rejects; after
   * that a failed job stops no other, and its error is in its outcome. */
  async generateAll(requests: readonly PromptRequest[], options: GenerateAllOptions = {}): Promise<Outcome[]> {
    const { signal } = options;
    const jobRequests = requests.map((request) => this.#jobRequest(request));
    const jobs = await untilAborted(this.#studio.enqueueAll(jobRequests), signal, (accepted) => {
      this.#studio.cancel(...accepted.map(({ id }) => id));
    });
    options.onAccepted?.(jobs);
    const outcomes: Outcome[] = [];
    // All at once: whoever presses Ctrl+C twice must find none of them in the queue later. One that was deleted for ever in
    // the meantime would be refused, and the others with it.
    const cancelAll = () => {
      const left = jobs.slice(outcomes.length).filter(({ id }) => this.#studio.get(id) !== null);
      this.#studio.cancel(...left.map(({ id }) => id));
    };
    signal?.addEventListener("abort", cancelAll, { once: true });
    if (signal?.aborted) cancelAll();
    try {
      for (const [index, job] of jobs.entries()) {
        const outcome = await waitForOutcome(this.#studio, job.id, signal, (event) => options.onEvent?.(event, index));
        outcomes.push(outcome);
        options.onOutcome?.(outcome, index);
      }
      return outcomes;
    } finally {
      signal?.removeEventListener("abort", cancelAll);
    }
  }

  /** Predicted bytes and seconds of each stage, without running. */
  async plan(settings: Partial<Settings> = {}, prompt = "a plan"): Promise<Plan> {
    return await this.#studio.plan(this.#jobRequest({ prompt, settings }));
  }

  /** Every setting with its value and source for these settings. Throws settings.invalid or model.unsupported. */
  resolve(settings: Partial<Settings> = {}, origin = "settings"): ResolvedSources {
    const { values } = readNamedValues(defined(settings), origin, "value");
    return resolveSettings([...this.#sources, { kind: "flag", origin, values }], this.#model);
  }

  /** Ends the engine and closes the library; queued jobs stay queued. */
  async close(): Promise<void> {
    await this.#studio.close();
  }

  #jobRequest({ prompt, settings, savePath, origin }: PromptRequest): JobRequest {
    const problem = checkSetting("prompt", prompt);
    if (problem) throw invalid(problem, origin ?? null);
    const { settings: resolved, fixedSize } = this.resolve(settings, origin);
    const { width, height, loras, ...others } = resolved;
    return {
      prompt,
      model: this.#choice,
      // A size that only follows from the resolution is left to follow from it again: an image may change its shape.
      settings: { ...others, loras: loras.map(fromHere), ...(fixedSize ? { width, height } : {}), prompt },
      ...(savePath === undefined ? {} : { savePath }),
    };
  }
}

/** Waits until a job is done, failed or cancelled. */
export async function waitForOutcome(
  studio: Studio,
  jobId: number,
  signal: AbortSignal | undefined,
  onEvent: (event: JobEvent) => void,
): Promise<Outcome> {
  const finished = await studio.wait(jobId, {
    ...(signal ? { signal } : {}),
    onEvent: (event) => {
      if (event.jobId === jobId) onEvent(event);
    },
  });
  const job = studio.get(finished.id);
  if (!job || !isFinal(job.state)) throw new RushesError("job.unknown", `Job ${jobId} has gone from the history.`);
  if (job.state === "done" && job.video) return { job, video: new Video(job), error: null };
  const error = job.error
    ? asRushesError(job.error)
    : new RushesError(job.state === "cancelled" ? "job.cancelled" : "engine.internal");
  return { job, video: null, error };
}

/** The promise, or job.cancelled as soon as the signal aborts; what the promise still yields then goes to `undo`. */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  undo: (value: T) => void = () => undefined,
): Promise<T> {
  if (!signal) return await promise;
  const abandoned = Promise.withResolvers<never>();
  const abandon = () => {
    promise.then(undo).catch(() => undefined);
    abandoned.reject(new RushesError("job.cancelled"));
  };
  if (signal.aborted) abandon();
  signal.addEventListener("abort", abandon, { once: true });
  try {
    return await Promise.race([promise, abandoned.promise]);
  } finally {
    signal.removeEventListener("abort", abandon);
  }
}

/** Only who calls knows what the current folder is: a path from there is made one from anywhere. A name stays a name where
 * there is no such file here. */
function fromHere(lora: Lora): Lora {
  const path = resolvePath(lora.file);
  const isPath = isAbsolute(lora.file) || /[/\\]/.test(lora.file);
  return isPath || (existsSync(path) && statSync(path).isFile()) ? { ...lora, file: path } : lora;
}

function defined(settings: Partial<Settings>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
