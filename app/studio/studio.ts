// The studio: one library folder, its history, its queue and the engine, behind one object. Every door (command line,
// window, server, library) opens one of these and nothing below it.
import type { Job, JobDetail, JobEvent } from "../../contract/job.ts";
import type { ModelChoice, ModelManifest } from "../../contract/models.ts";
import type { ResolvedSettings, Settings } from "../../contract/settings/derive.ts";
import type { Inspection, Machine, Plan, SelfTest } from "../engine/addon.ts";
import type { HistoryQuery } from "../history/reads/jobs.ts";
import type { Model } from "../models/find-model.ts";

export type { HistoryQuery } from "../history/reads/jobs.ts";
export type { Model } from "../models/find-model.ts";
export type { ModelChoice } from "../../contract/models.ts";

/** One video to make (or numSamples videos). `settings` are the values that are known; what is absent comes from the
 * model, then the general defaults. Without a seed a random one is drawn and stored. */
export interface JobRequest {
  prompt: string;
  model?: ModelChoice;
  settings?: Partial<Settings>;
  /** An extra copy: a folder (existing, or ending in a separator), or a file path, which is overwritten. */
  savePath?: string;
}

/** What would run, before it is accepted. */
export interface CheckedRequest {
  model: Model;
  /** The transformer that is used: the model's own or its 16-bit one. */
  dit: string;
  settings: ResolvedSettings;
  /** Token ids, the closing `</s>` included. */
  ids: Int32Array;
  tokens: string[];
  /** True when the prompt is longer than the model reads. */
  cut: boolean;
  warnings: string[];
}

export interface WaitOptions {
  /** Aborting cancels the job. */
  signal?: AbortSignal;
  onEvent?: (event: JobEvent) => void;
  /** Ask for a preview event after each step, which costs some time; for jobs that run in this process. */
  preview?: boolean;
}

export interface BenchOptions {
  /** Only operations whose name contains this. */
  filter?: string;
  threads?: number;
  /** A few seconds instead of minutes. */
  quick?: boolean;
  /** Ends the benchmark; it rejects with job.cancelled. */
  signal?: AbortSignal;
}

export interface StudioOptions {
  /** Absent: RUSHES_LIBRARY, else Videos/Rushes in the home folder. */
  libraryFolder?: string;
  /** Absent: RUSHES_ADDON, else the project's build/Release/rushes.node. */
  addonPath?: string;
}

export interface Studio {
  readonly libraryFolder: string;
  /** Models found on this machine by name; reads manifests only. */
  models(): ModelManifest[];
  /** Finds a model's files and reads their headers; refuses wrong, partial or corrupt ones in one sentence. */
  model(choice: ModelChoice): Promise<Model>;
  /** What a file's header says. */
  inspect(path: string): Promise<Inspection>;
  /** Everything enqueue checks and resolves, without accepting. */
  check(request: JobRequest): Promise<CheckedRequest>;
  /** Accepts a job: its row is committed before this resolves. Throws a RushesError when the request is refused. */
  enqueue(request: JobRequest): Promise<Job>;
  /** Accepts all of them or none; a request with numSamples n becomes n jobs with seeds seed, seed+1, ... */
  enqueueAll(requests: JobRequest[]): Promise<Job[]>;
  /** Accepts a job that makes a video from the saved latents of another, without sampling. */
  decodeAgain(jobId: number): Promise<Job>;
  /** Sees to it that the queue runs (here, unless another process runs it) and resolves with the job when it is done,
   * failed or cancelled. A failed job does not reject: look at its state and error. */
  wait(jobId: number, options?: WaitOptions): Promise<Job>;
  /** Cancels a queued or running job, wherever it runs. */
  cancel(jobId: number): void;
  list(query?: HistoryQuery): Job[];
  /** Full-text search over the prompts; words in any order, the last letters of a word may be left out. */
  search(words: string, query?: HistoryQuery): Job[];
  get(jobId: number): JobDetail | null;
  plan(request: JobRequest): Promise<Plan>;
  machine(): Promise<Machine>;
  selfTest(threads?: number): Promise<SelfTest>;
  /** Puts a failed or cancelled job back into the queue; it continues from its last finished step. */
  again(jobId: number): Job;
  /** Times the operations against this machine's ceilings; the table comes line by line. */
  bench(options: BenchOptions, onLine: (line: string) => void): Promise<unknown>;
  /** Stops what runs here (its job stays in the queue), ends the engine and closes the history. */
  close(): Promise<void>;
}
