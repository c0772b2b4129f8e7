// The queue as it stands, and what running jobs say of themselves: progress, log, latest preview. Finished jobs are the
// history's.
import { SvelteMap } from "svelte/reactivity";
import { previewUrl } from "../../contract/channels/media.ts";
import type { QueueState } from "../../contract/channels/queue.ts";
import { isFinal, type Job, type JobProgress, type JobState } from "../../contract/job.ts";
import { request } from "../bridge.ts";
import { connection } from "./connection.svelte.ts";

/** What is known of a job that runs or ran since the window opened. */
export interface LiveJob {
  readonly id: number;
  readonly state: JobState;
  /** Why it is in this state, in one sentence, or "". */
  readonly note: string;
  readonly progress: JobProgress | null;
  readonly preview: LivePreview | null;
}

export interface LivePreview {
  readonly url: string;
  readonly step: number;
  readonly width: number;
  readonly height: number;
  /** True where it was not decoded by the model but guessed from the latents. */
  readonly approximate: boolean;
}

class Jobs {
  #queue = $state.raw<QueueState | null>(null);
  readonly #live = new SvelteMap<number, LiveJob>();
  #asking = false;
  #askAgain = false;

  /** Running and waiting jobs; null until the studio has answered. */
  get queue(): QueueState | null {
    return this.#queue;
  }

  get running(): Job | null {
    return this.#queue?.running ?? null;
  }

  get waiting(): readonly Job[] {
    return this.#queue?.waiting ?? [];
  }

  /** Waiting and running ones: the number in the header. */
  get count(): number {
    return this.waiting.length + (this.running ? 1 : 0);
  }

  /** Follows the studio; called once. Returns the way to stop. */
  start(): () => void {
    const stops = [
      connection.onRefresh(() => {
        this.#forgetPreviews();
        this.refresh();
      }),
      connection.on("queue:changed", () => this.refresh()),
      connection.on("job:changed", ({ jobId, state, note }) => {
        this.#change(jobId, {
          state,
          note,
          ...((isFinal(state) || state === "queued") && { progress: null }),
          // When it runs again, perhaps much later, this picture may be gone.
          ...(state === "queued" && { preview: null }),
        });
        this.refresh();
      }),
      connection.on("job:progressed", ({ jobId, progress }) => this.#change(jobId, { state: "running", progress })),
      connection.on("job:previewed", ({ jobId, step, width, height, approximate }) =>
        this.#change(jobId, { preview: { url: previewUrl(jobId, step), step, width, height, approximate } }),
      ),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** What a job says of itself just now; undefined where it said nothing since the window opened. */
  live(jobId: number): LiveJob | undefined {
    return this.#live.get(jobId);
  }

  /** Progress of a job: the latest event's, else what its record held. */
  progressOf(job: Job): JobProgress | null {
    return this.#live.get(job.id)?.progress ?? job.progress;
  }

  /** Asks for the queue. Many calls at once become two requests at most, so that the last change is never missed. */
  refresh(): void {
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    this.#asking = true;
    void request("queue:state", {})
      .then((queue) => (this.#queue = queue))
      .catch(() => undefined) // The connection tells that nobody answers, and a refresh follows.
      .finally(() => {
        this.#asking = false;
        if (!this.#askAgain) return;
        this.#askAgain = false;
        this.refresh();
      });
  }

  /** A studio that was started anew has no pictures of steps that an earlier one made. */
  #forgetPreviews(): void {
    for (const [id, { preview }] of this.#live) if (preview) this.#change(id, { preview: null });
  }

  #change(id: number, change: Partial<LiveJob>): void {
    const before = this.#live.get(id) ?? { id, state: "running", note: "", progress: null, preview: null };
    this.#live.set(id, { ...before, ...change });
  }
}

/** The one list of live jobs. */
export const jobs = new Jobs();
