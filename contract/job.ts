// What every door knows of a job: its states and the moves between them, its record, and what happens to it while it
// runs. How jobs are stored lives in app/history, how they run in app/jobs.
import type { ErrorRecord } from "./errors.ts";
import type { LoweredPlan } from "./lowered-plan.ts";
import type { PlanFix } from "./plan-fix.ts";
import type { ResolvedSettings } from "./settings/derive.ts";

/*
   accept          take            report
  --------> queued -----> running --------> done
              |  ^           |  |
       cancel |  | resume    |  +---------> failed ----+
              |  +-----------+                         |
              |  |           | cancel                  | again
              |  |           v                         |
              +--|------> cancelled                    |
                 +------------------ ------------------+

  "resume": the process or the engine that ran the job ended; the job continues from its last finished step.
  "again": the user asks for a failed or cancelled job once more.
*/
export const jobStates = ["queued", "running", "done", "failed", "cancelled"] as const;
export type JobState = (typeof jobStates)[number];

const moves: Record<JobState, readonly JobState[]> = {
  queued: ["running", "cancelled", "failed"],
  running: ["done", "failed", "cancelled", "queued"],
  done: [],
  failed: ["queued"],
  cancelled: ["queued"],
};

/** True where the drawing above has an arrow. */
export function mayMove(from: JobState, to: JobState): boolean {
  return moves[from].includes(to);
}

/** True when nothing more happens to the job unless somebody asks for it. */
export function isFinal(state: JobState): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** True where a failed job may succeed on the CPU: it was to run on a graphics card that failed, or has too little memory. */
export function cpuMayHelp({ error, settings, deviceName }: Pick<Job, "error" | "settings" | "deviceName">): boolean {
  if (error === null || settings.device === "cpu" || settings.device === "reference") return false;
  return error.code.startsWith("gpu.") || (error.code === "memory.exhausted" && deviceName !== null);
}

/** What may change of a job that is asked for once more and goes on from its last finished step. */
export interface RetryChanges {
  /** From now on without the graphics card. */
  onCpu?: boolean;
  /** From now on with all the memory that is free. */
  withoutBudget?: boolean;
}

/** The engine's own stages, in their order; "image" only in jobs with a picture. "save" (the file, its poster and the
 * extra copy) is the app's. */
export type StageName = "text" | "image" | "load" | "sample" | "decode";
export type JobStage = StageName | "save";

export type JobMode = "t2v" | "i2v";
/** "decode" makes a video from another job's saved latents, without sampling. */
export type JobKind = "generate" | "decode";
export type LogLevel = "debug" | "info" | "warning";

/** The files one job runs with, absolute paths. */
export interface JobFiles {
  /** The transformer; of a model of two experts, the one for high noise. */
  dit: string;
  /** The expert for low noise; absent for models of one transformer. */
  ditLow?: string;
  vae: string;
  textEncoder: string;
  tokenizer: string;
  textLength: number;
}

/** Why a job failed. */
export type JobError = Pick<ErrorRecord, "code" | "sentence" | "advice" | "detail">;

export interface JobVideo {
  path: string;
  posterPath: string;
  /** The extra copy, where one was asked for. */
  copyPath: string | null;
  bytes: number;
  frames: number;
  width: number;
  height: number;
}

export interface JobProgress {
  stage: JobStage;
  /** 0..1 of the stage. */
  fraction: number;
  /** Counts from 1 while sampling, else 0. */
  step: number;
  steps: number;
  /** 0..1 of the whole job, stages weighted by their planned seconds. */
  overall: number;
  /** Seconds left, counted from the start of execution; null while nothing is known. */
  etaSeconds: number | null;
  /** Share of the whole that each stage of this run is planned to take, together 1; a stage that does not run is absent. */
  shares?: Readonly<Partial<Record<JobStage, number>>>;
}

/** What quantization did to the transformer: bytes16 is what its layers would take in 16 bits. */
export interface Int8Summary {
  layers: number;
  bytes16: number;
  bytes: number;
}

/** A job as it stands in the history. Times are milliseconds since 1970. */
export interface Job {
  id: number;
  /** The name this job has in its video's metadata. */
  uid: string;
  kind: JobKind;
  state: JobState;
  prompt: string;
  mode: JobMode;
  /** The model's name, e.g. "demo", or the transformer's file name. */
  model: string;
  files: JobFiles;
  inputImage: string | null;
  seed: number;
  /** Every setting, resolved: what will run, and after the run what ran. Those that do nothing for the model are
   * recorded too. */
  settings: ResolvedSettings;
  tokenCount: number;
  createdAt: number;
  /** When the latest attempt began: time in the queue between two attempts is no time of the job. */
  startedAt: number | null;
  finishedAt: number | null;
  attempts: number;
  /** The last finished step the latest attempt continued from; 0 when it began at the beginning. */
  resumedFromStep: number;
  progress: JobProgress | null;
  warnings: string[];
  int8: Int8Summary | null;
  plannedSeconds: number | null;
  plannedPeakBytes: number | null;
  /** The graphics card the latest attempt was planned for; null: none. */
  deviceName: string | null;
  /** How the plan was lowered when memory was full, the last time; null: it was not. */
  lowered: LoweredPlan | null;
  /** What this machine was expected to take for it when it was accepted, learnt from its former jobs. */
  expectedSeconds: number | null;
  /** The last step that was computed when sampling was stopped and kept; null for a job that ran all its steps. */
  keptStep: number | null;
  latentsPath: string | null;
  savePath: string | null;
  /** The name the video was about to get when the job last reported. */
  pendingVideoPath: string | null;
  sourceJobId: number | null;
  video: JobVideo | null;
  error: JobError | null;
  /** Beside an error for want of memory: the smallest change that would fit; null where nothing is known to help. */
  fix: PlanFix | null;
}

export interface JobStageRecord {
  attempt: number;
  stage: JobStage;
  seconds: number;
  /** Null where the stage ended before the engine counted it. */
  peakBytes: number | null;
  /** The graphics card's memory; null too where the stage ran without one. */
  deviceBytes: number | null;
  plannedSeconds: number | null;
  plannedBytes: number | null;
  plannedDeviceBytes: number | null;
}

export interface JobStepLatents {
  step: number;
  path: string;
  bytes: number;
  createdAt: number;
}

export interface JobLogLine {
  at: number;
  level: LogLevel;
  line: string;
}

export interface JobStateChange {
  state: JobState;
  at: number;
  note: string;
}

/** Everything known of one job. */
export interface JobDetail extends Job {
  stages: JobStageRecord[];
  steps: JobStepLatents[];
  log: JobLogLine[];
  changes: JobStateChange[];
}

/** What a waiting caller hears. Events of other jobs arrive too while they hold the queue; look at jobId. */
export type JobEvent =
  | { kind: "state"; jobId: number; state: JobState; note: string }
  | { kind: "progress"; jobId: number; progress: JobProgress }
  | { kind: "log"; jobId: number; level: LogLevel; line: string }
  /** Why the job that is waited for does not run yet. */
  | { kind: "waiting"; jobId: number; sentence: string }
  | {
      kind: "preview";
      jobId: number;
      step: number;
      rgb: Uint8Array;
      width: number;
      height: number;
      /** Computed from the latents, smaller than the video; else decoded. */
      approximate: boolean;
    };
