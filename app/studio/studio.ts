// The studio: one library folder, its history, its queue and the engine, behind one object. Every door (command line,
// window, server, library) opens one of these and nothing below it.
import type { DiagnosticFact, MachineState } from "../../contract/channels/machine.ts";
import type { QueueState } from "../../contract/channels/queue.ts";
import type { DraftCheck } from "../../contract/channels/generate.ts";
import type { InspectionReport, LoraEntry, ModelEntry } from "../../contract/channels/models.ts";
import type { RestoredVideo, Session, SessionChange } from "../../contract/channels/studio.ts";
import type { Job, JobDetail, JobEvent, RetryChanges } from "../../contract/job.ts";
import type { ModelChoice, ModelManifest } from "../../contract/models.ts";
import type { ResolvedSettings, Settings } from "../../contract/settings/derive.ts";
import type { EndToEndOptions, Inspection, Machine, ModelFiles, Plan, SelfTest } from "../engine/addon.ts";
import type { SpawnEngine } from "../engine/engine-process.ts";
import type { HistoryQuery } from "../history/reads/jobs.ts";
import type { Model } from "../models/find-model.ts";
import type { AllowedPath } from "../models/lora-files.ts";
import type { PresetStore } from "../presets/preset-store.ts";
import type { LocalDraft } from "./draft-request.ts";
import type { StudioCore } from "./studio-core.ts";
import type { StudioExports } from "./studio-exports.ts";

export type { LocalDraft } from "./draft-request.ts";
export type { StudioCore } from "./studio-core.ts";
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
  /** Asked about the paths that settings name in other places than the library; absent: all of them may be used. */
  allowedPath?: AllowedPath;
}

/** What would run, before it is accepted. */
export interface CheckedRequest {
  model: Model;
  /** What the engine is given; the transformer is the model's own or its 16-bit one. */
  files: ModelFiles;
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
  /** A whole clip instead, with models of real sizes that are written into the library's cache. */
  endToEnd?: Omit<EndToEndOptions, "folder" | "threads">;
  /** Ends the benchmark; it rejects with job.cancelled. */
  signal?: AbortSignal;
}

export interface StudioOptions {
  /** Absent: RUSHES_LIBRARY, else Videos/Rushes in the home folder. */
  libraryFolder?: string;
  /** Absent: RUSHES_ADDON, else the project's build/Release/rushes.node. */
  addonPath?: string;
  /** How the engine's process is started; absent: forked by Node. */
  spawnEngine?: SpawnEngine;
  /** For doors with a window: generations and exports stand back, so that the window answers while they compute. */
  background?: boolean;
}

/** The queue of a library. Every change is committed before its call returns; refusals are RushesErrors (job.unknown,
 * job.started, job.not_running, those of enqueue). */
export interface StudioQueue {
  state(): QueueState;
  /** Accepts all drafts or none; a draft with numSamples n becomes n jobs. `next`: before all waiting ones. */
  add(drafts: readonly LocalDraft[], place?: "end" | "next"): Promise<Job[]>;
  /** Puts a waiting job before another one; null: to the end. */
  move(jobId: number, beforeJobId: number | null): void;
  runNext(jobId: number): void;
  /** Replaces what a waiting job will run; it keeps its number and place. */
  edit(jobId: number, draft: LocalDraft): Promise<Job>;
  /** Takes waiting jobs out, all or none; they stay in the history as cancelled. */
  remove(jobIds: readonly number[]): void;
  /** The running job goes back to the queue after its current step, and the model's memory is given back. Survives the
   * end of the program. */
  pause(): void;
  resume(): void;
  /** Ends sampling of the running job and decodes its latest estimate. */
  keep(jobId: number): void;
}

/** The machine's memory and the warm model. */
export interface StudioMachine {
  state(): Promise<MachineState>;
  /** Gives the warm model's memory back; throws engine.busy while it works. */
  unload(): Promise<MachineState>;
  /** What a report of trouble needs to know. */
  diagnostics(): Promise<DiagnosticFact[]>;
}

/** The models of this machine as people see and change them. */
export interface StudioModels {
  /** Shipped ones, then those that were added; reads manifests only. */
  manifests(): ModelManifest[];
  /** Every one with the state of its files and what it needs at its default size. */
  list(): Promise<ModelEntry[]>;
  /** Folders that were added. */
  folders(): string[];
  /** Adds a checkpoint or a folder, used where it lies. Throws checkpoint.missing, checkpoint.unsupported when nothing was
   * recognised. */
  add(path: string): Promise<{ models: ModelEntry[]; notes: { path: string; note: string }[] }>;
  /** Forgets what was added; files are never touched. Throws model.unknown. */
  forget(what: { id: string } | { folder: string }): Promise<void>;
  /** The LoRA files that can be chosen by name: the library's, then those that come with the model of that name, or with
   * any where it is null. */
  loras(model: string | null): Promise<LoraEntry[]>;
  /** What a file's header says. Throws checkpoint.*. */
  report(path: string): Promise<InspectionReport>;
  /** Why a model of that name cannot run here, in one sentence, or null. */
  missing(name: string): string | null;
}

/** What a form asks: nothing of it accepts anything. */
export interface StudioForm {
  /** Never refuses: what is wrong is in the answer. */
  check(draft: LocalDraft): Promise<DraftCheck>;
  /** The command line of a draft or a job. Throws job.unknown, and for drafts what adding them would throw. */
  command(what: { draft: LocalDraft } | { jobId: number }): Promise<string>;
  /** The window's last session, as far as it can be used; before there is one, a form on the default preset. */
  session(): Session;
  /** Throws request.invalid when it is far too large. */
  keepSession(change: SessionChange): void;
  /** Throws video.foreign or file.unreadable. */
  restoreVideo(path: string): Promise<RestoredVideo>;
}

export interface Studio extends StudioCore {
  readonly installedModels: StudioModels;
  readonly presets: PresetStore;
  readonly form: StudioForm;
  readonly queue: StudioQueue;
  readonly machineState: StudioMachine;
  readonly exports: StudioExports;
  /** Sees to it that the queue runs here for as long as the studio is open, unless another process runs it: then from
   * the moment that process is gone. */
  run(): void;
  /** The preview of a job that runs or ran a moment ago as PNG: of that step, else the latest; null where there is none. */
  preview(jobId: number, step?: number | null): Uint8Array | null;
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
  /** Cancels queued and running jobs, wherever they run; their end follows within a second. All of them or none. */
  cancel(...jobIds: number[]): void;
  list(query?: HistoryQuery): Job[];
  /** Full-text search over the prompts; words in any order, the last letters of a word may be left out. */
  search(words: string, query?: HistoryQuery): Job[];
  get(jobId: number): JobDetail | null;
  plan(request: JobRequest): Promise<Plan>;
  machine(): Promise<Machine>;
  selfTest(threads?: number): Promise<SelfTest>;
  /** Puts a failed or cancelled job back into the queue; it continues from its last finished step. One that waits stays as it
   * is. Throws job.started for one that runs or is done. */
  again(jobId: number, changes?: RetryChanges): Job;
  /** Times the operations against this machine's ceilings; the table comes line by line. */
  bench(options: BenchOptions, onLine: (line: string) => void): Promise<unknown>;
  /** Stops what runs here (its job stays in the queue), ends the engine and closes the history. */
  close(): Promise<void>;
}
