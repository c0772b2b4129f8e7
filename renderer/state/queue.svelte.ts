// What people do with the queue: order, removal with a way back, pause, and jobs that failed lately. The queue itself and
// what jobs say of themselves are jobs.svelte.ts.
import type { HistoryCard } from "../../contract/channels/history.ts";
import type { QueueState } from "../../contract/channels/queue.ts";
import type { Job } from "../../contract/job.ts";
import { request } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { announcer } from "./announcer.svelte.ts";
import { connection } from "./connection.svelte.ts";
import { jobs } from "./jobs.svelte.ts";
import { liveJob } from "./live-job.svelte.ts";
import { retryJob } from "./retry-job.ts";
import { toasts } from "./toasts.svelte.ts";

/** Failed jobs are shown beside the queue for a day, the latest few; then they are in the history only. */
const failedFor = 24 * 60 * 60 * 1000;
const mostFailed = 5;

class Queue {
  /** The order that was asked for, until the studio's own shows it; `until`: the state that still lacks it. */
  #asked = $state.raw<{ readonly order: readonly number[]; readonly until: QueueState | null } | null>(null);
  #failed = $state.raw<readonly HistoryCard[]>([]);
  #turning = $state(false);

  #waiting = $derived.by<readonly Job[]>(() => {
    const asked = this.#asked;
    if (asked === null || (asked.until !== null && asked.until !== jobs.queue)) return jobs.waiting;
    const place = new Map(asked.order.map((id, index) => [id, index]));
    const placeOf = ({ id }: Job) => place.get(id) ?? asked.order.length;
    return [...jobs.waiting].sort((one, other) => placeOf(one) - placeOf(other));
  });

  /** Waiting jobs in the order they will have. */
  get waiting(): readonly Job[] {
    return this.#waiting;
  }

  /** Seconds until all is done: what the running job says it still takes, and what the others were expected to; null while
   * nothing is known. */
  get secondsLeft(): number | null {
    const known = jobs.waiting.map(({ expectedSeconds }) => expectedSeconds).filter((seconds) => seconds !== null);
    const rest = jobs.running && liveJob.remaining;
    if (known.length === 0 && rest === null) return null;
    return known.reduce((sum, seconds) => sum + seconds, rest ?? 0);
  }

  get paused(): boolean {
    return jobs.queue?.paused ?? false;
  }

  /** Pause was asked for and its answer is not here yet. */
  get turning(): boolean {
    return this.#turning;
  }

  /** Jobs that failed lately, the newest first. */
  get failed(): readonly HistoryCard[] {
    return this.#failed;
  }

  /** Follows the failed jobs while the view is shown. Returns the way to stop. */
  start(): () => void {
    const stops = [
      connection.onRefresh(() => void this.#readFailed()),
      connection.on("history:changed", () => void this.#readFailed()),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Puts a job before another one; null: to the end. Shown at once, said politely. */
  async move(jobId: number, beforeJobId: number | null): Promise<void> {
    const others = this.#waiting.map(({ id }) => id).filter((id) => id !== jobId);
    const place = beforeJobId === null ? others.length : others.indexOf(beforeJobId);
    if (place < 0) return;
    await this.#order(others.toSpliced(place, 0, jobId), () => request("queue:move", { jobId, beforeJobId }));
    announcer.say(text.words.queue.movedTo(place + 1, others.length + 1));
  }

  /** One place up (-1) or down (1). */
  async step(jobId: number, by: -1 | 1): Promise<void> {
    const ids = this.#waiting.map(({ id }) => id);
    const from = ids.indexOf(jobId);
    const to = from + by;
    if (from < 0 || to < 0 || to >= ids.length) return;
    await this.move(jobId, by < 0 ? ids[to]! : (ids[to + 1] ?? null));
  }

  async runNext(jobId: number): Promise<void> {
    const others = this.#waiting.map(({ id }) => id).filter((id) => id !== jobId);
    await this.#order([jobId, ...others], () => request("queue:runNext", { jobId }));
    announcer.say(text.words.queue.movedTo(1, others.length + 1));
  }

  /** Takes a job out; Undo puts it back to where it was. */
  async remove(job: Job): Promise<void> {
    const ids = this.#waiting.map(({ id }) => id);
    const after = ids.slice(ids.indexOf(job.id) + 1);
    if (!(await tried(() => request("queue:remove", { jobIds: [job.id] })))) return;
    jobs.refresh();
    toasts.undoable(text.words.queue.removed, () => void this.#putBack(job.id, after));
  }

  /** A failed job once more; it continues from its last finished step. */
  async retry(jobId: number): Promise<void> {
    if (!(await tried(() => retryJob(jobId)))) return;
    jobs.refresh();
    await this.#readFailed();
  }

  /** Pauses or resumes. */
  async turn(): Promise<void> {
    this.#turning = true;
    const channel = this.paused ? "queue:resume" : "queue:pause";
    if (await tried(() => request(channel, {}))) {
      jobs.refresh();
      announcer.say(channel === "queue:pause" ? text.words.queue.pausedSaid : text.words.queue.resumedSaid);
    }
    this.#turning = false;
  }

  async #order(order: readonly number[], ask: () => Promise<unknown>): Promise<void> {
    this.#asked = { order, until: null };
    if (await tried(ask)) this.#asked = { order, until: jobs.queue };
    else this.#asked = null;
    jobs.refresh();
  }

  /** Before the first of those that stood behind it and still wait. */
  async #putBack(jobId: number, after: readonly number[]): Promise<void> {
    await tried(async () => {
      await request("queue:retry", { jobId });
      const { waiting } = await request("queue:state", {});
      const beforeJobId = after.find((id) => waiting.some((job) => job.id === id)) ?? null;
      await request("queue:move", { jobId, beforeJobId });
    });
    jobs.refresh();
  }

  async #readFailed(): Promise<void> {
    try {
      const { ids } = await request("history:find", { filter: { states: ["failed"], from: Date.now() - failedFor } });
      if (ids.length === 0) this.#failed = [];
      else this.#failed = (await request("history:cards", { ids: ids.slice(0, mostFailed) })).cards;
    } catch {
      // The connection tells that nobody answers, and a refresh follows.
    }
  }
}

/** False where it was refused; the refusal is said. */
async function tried(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    toasts.error(error);
    return false;
  }
}

/** The queue of this window's studio. */
export const queue = new Queue();
