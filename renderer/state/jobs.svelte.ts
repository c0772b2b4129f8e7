// The queue as it stands, what running jobs say of themselves (progress, log, latest preview), and which one ended last.
// What finished jobs made is the history's.
import { SvelteMap } from "svelte/reactivity";
import { previewUrl } from "../../contract/channels/media.ts";
import type { PreviewState, QueueState } from "../../contract/channels/queue.ts";
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

export interface LivePreview extends PreviewState {
  readonly url: string;
}

/** A job that ended after it had run. One that runs once more and ends again is another of these. */
export interface EndedJob {
  readonly jobId: number;
}

/** Jobs that are looked at after a lost connection: the last of them is wanted. */
const mostMissed = 100;

class Jobs {
  #queue = $state.raw<QueueState | null>(null);
  /** When the queue was asked for, of which `queue` is the answer. */
  #queueAt = 0;
  #ended: EndedJob | null = null;
  #caughtUp: Promise<void> = Promise.resolve();
  readonly #live = new SvelteMap<number, LiveJob>();
  /** Jobs whose picture the studio may no longer have: its next answer tells. */
  #unsure: ReadonlySet<number> = new Set();
  #answered: Promise<void> = Promise.resolve();
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

  /** The job that ended last since the window opened; what was waiting and is taken out has not run. */
  get ended(): EndedJob | null {
    return this.#ended;
  }

  /** Resolves when `ended` counts what was not heard while the connection was lost. */
  get caughtUp(): Promise<void> {
    return this.#caughtUp;
  }

  /** Follows the studio; called once. Returns the way to stop. */
  start(): () => void {
    const stops = [
      connection.onRefresh(() => {
        this.#unsure = new Set([...this.#live.values()].filter(({ preview }) => preview).map(({ id }) => id));
        this.refresh();
        if (this.#queue) this.#caughtUp = this.#catchUp(this.#queue, this.#queueAt);
      }),
      connection.on("queue:changed", () => this.refresh()),
      connection.on("job:changed", ({ jobId, state, note }) => {
        const ran = this.running?.id === jobId || this.live(jobId)?.preview || state === "done" || state === "failed";
        if (isFinal(state) && ran) this.#ended = { jobId };
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
        this.#picture(jobId, { step, width, height, approximate }),
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
    const askedAt = Date.now();
    this.#answered = request("queue:state", {})
      .then((queue) => {
        this.#queue = queue;
        this.#queueAt = askedAt;
        // Where it is asked again, that answer is the one that knows.
        if (!this.#askAgain) this.#settlePictures(queue);
      })
      .catch(() => undefined) // The connection tells that nobody answers, and a refresh follows.
      .finally(() => {
        this.#asking = false;
        if (!this.#askAgain) return;
        this.#askAgain = false;
        this.refresh();
      });
  }

  /** Finds what ended unheard since the queue was `before`: jobs of it that are no longer there, in their order, and those
   * that were added and made meanwhile. */
  async #catchUp(before: QueueState, since: number): Promise<void> {
    const heard = this.#ended;
    try {
      while (this.#asking) await this.#answered;
      const still = new Set([this.running, ...this.waiting].map((job) => job?.id));
      const gone = [before.running, ...before.waiting].flatMap((job) => (job && !still.has(job.id) ? [job.id] : []));
      const { ids } = await request("history:find", { filter: { states: ["done", "failed"], from: since } });
      const possible = [...new Set([...gone, ...ids.slice(0, mostMissed).reverse()])].slice(-mostMissed);
      if (possible.length === 0) return;
      const { cards } = await request("history:cards", { ids: possible });
      const last = cards.findLast(({ state }) => state === "done" || state === "failed");
      const unheard = last && (gone.includes(last.id) || last.id !== heard?.jobId);
      if (unheard && this.#ended === heard) this.#ended = { jobId: last.id };
    } catch {
      // The connection tells that nobody answers, and a refresh follows.
    }
  }

  /** A window that was opened or connected since has not heard of the running job's picture; a studio that was started
   * anew has none that an earlier one made. */
  #settlePictures({ running, preview }: QueueState): void {
    const unsure = this.#unsure;
    this.#unsure = new Set();
    for (const id of unsure) if (id !== running?.id || preview === null) this.#change(id, { preview: null });
    if (running === null || preview === null) return;
    if (unsure.has(running.id) || !this.live(running.id)?.preview) this.#picture(running.id, preview);
  }

  #picture(id: number, preview: PreviewState): void {
    this.#unsure = new Set([...this.#unsure].filter((other) => other !== id));
    this.#change(id, { preview: { ...preview, url: previewUrl(id, preview.step) } });
  }

  #change(id: number, change: Partial<LiveJob>): void {
    const before = this.#live.get(id) ?? { id, state: "running", note: "", progress: null, preview: null };
    this.#live.set(id, { ...before, ...change });
  }
}

/** The one list of live jobs. */
export const jobs = new Jobs();
