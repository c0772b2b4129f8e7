// The queue: accepted jobs and their order. A reply comes after the change is committed.
import type { Nothing } from "../channels.ts";
import type { Job, RetryChanges } from "../job.ts";
import type { Draft } from "./generate.ts";

/** The picture at previewUrl(jobId, step) of media.ts. */
export interface PreviewState {
  readonly step: number;
  readonly width: number;
  readonly height: number;
  /** Computed from the latents, smaller than the video; else decoded. */
  readonly approximate: boolean;
}

export interface QueueState {
  /** The running job, wherever it runs. */
  readonly running: Job | null;
  /** The running job's latest picture; null while it has none, or where it runs in another program. */
  readonly preview: PreviewState | null;
  /** In the order in which they will run. */
  readonly waiting: readonly Job[];
  /** Paused by the user: nothing is taken from the queue and the model's memory is given back. */
  readonly paused: boolean;
  /** True when another program runs this library's queue just now. */
  readonly elsewhere: boolean;
  /** Seconds until everything is done, or null while nothing is known. */
  readonly etaSeconds: number | null;
}

export interface QueueChannels {
  "queue:state": { request: Nothing; reply: QueueState };
  /** Accepts all drafts (at most 1000) or none; a draft with numSamples n becomes n jobs. `next`: before all waiting ones. */
  "queue:add": { request: { drafts: Draft[]; next?: boolean }; reply: { jobs: Job[] } };
  /** Puts a waiting job before another one; null: to the end. */
  "queue:move": { request: { jobId: number; beforeJobId: number | null }; reply: Nothing };
  "queue:runNext": { request: { jobId: number }; reply: Nothing };
  /** Replaces what a waiting job will run; it keeps its number and place. Refused with job.started once it runs. */
  "queue:edit": { request: { jobId: number; draft: Draft }; reply: { job: Job } };
  /** Takes waiting jobs out (they stay in the history as cancelled). */
  "queue:remove": { request: { jobIds: number[] }; reply: Nothing };
  /** Finishes nothing more: the running job goes back to the queue after its current step and continues later. */
  "queue:pause": { request: Nothing; reply: Nothing };
  "queue:resume": { request: Nothing; reply: Nothing };
  "queue:cancel": { request: { jobId: number }; reply: Nothing };
  /** Ends sampling and decodes the latest estimate; refused with job.not_running otherwise. */
  "queue:keep": { request: { jobId: number }; reply: Nothing };
  /** A failed or cancelled job once more; continues from its last finished step. One that waits stays as it is; refused with
   * job.started for one that runs or is done. */
  "queue:retry": { request: { jobId: number } & RetryChanges; reply: { job: Job } };
  /** Another video from the saved latents of a finished job. */
  "queue:decodeAgain": { request: { jobId: number }; reply: { job: Job } };
}
