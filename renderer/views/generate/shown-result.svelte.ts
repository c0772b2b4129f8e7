// Which result the viewer shows: the running job, one the user picked in the strip, or what ended last, wherever the user
// was then.
import type { HistoryDetail } from "../../../contract/channels/history.ts";
import { isFinal } from "../../../contract/job.ts";
import { request } from "../../bridge.ts";
import { connection } from "../../state/connection.svelte.ts";
import { type EndedJob, jobs } from "../../state/jobs.svelte.ts";
import { liveJob } from "../../state/live-job.svelte.ts";

class ShownResult {
  /** What the user picked, or what ended last; null: nothing yet. */
  #jobId = $state<number | null>(null);
  #detail = $state.raw<HistoryDetail | null>(null);
  /** True where the user looks at a result although a job runs, or ran when it was picked. */
  #picked = $state(false);
  /** The job that ran then. */
  #pickedOver: number | null = null;
  #looked = $state(false);
  #awaited = $state<number | null>(null);
  /** What had ended last when it was decided what to show. */
  #seen: EndedJob | null = null;
  #asked = 0;

  /** The result to show; null while none is there. */
  get detail(): HistoryDetail | null {
    return this.#detail;
  }

  get jobId(): number | null {
    return this.#jobId;
  }

  /** False until it is known whether there is any result. */
  get looked(): boolean {
    return this.#looked;
  }

  /** True where the running job is what to show. */
  get live(): boolean {
    return (liveJob.job !== null || this.#awaited !== null) && !this.#picked;
  }

  /** Accepted and about to run: shown as starting. */
  get awaited(): number | null {
    return this.#awaited;
  }

  /** Follows the studio; called by the viewer. Returns the way to stop. */
  start(): () => void {
    // Who comes back while a job runs wants to see it.
    if (jobs.running !== null) this.#picked = false;
    let returned = true;
    const stops = [
      liveJob.view(),
      connection.onRefresh(() => {
        void this.#refresh(returned);
        returned = false;
      }),
      connection.on("job:changed", ({ jobId, state }) => {
        if (jobId === this.#awaited && state !== "queued") this.#awaited = null;
        // What was waiting and is taken out is no result.
        if (!isFinal(state) || jobs.ended === this.#seen || jobs.ended?.jobId !== jobId) return;
        this.#seen = jobs.ended;
        // A picked one stays.
        if (!this.#picked || jobId === this.#jobId) void this.#show(jobId);
        else liveJob.release();
      }),
      connection.on("history:changed", ({ jobIds }) => {
        if (this.#jobId !== null && (jobIds === null || jobIds.includes(this.#jobId))) void this.#show(this.#jobId);
        else if (this.#jobId === null) void this.#refresh();
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** The user picked one. */
  pick(jobId: number): void {
    this.#picked = jobs.running !== null;
    this.#pickedOver = jobs.running?.id ?? null;
    this.#awaited = null;
    void this.#show(jobId);
  }

  /** Back to the running job. */
  backToLive(): void {
    this.#picked = false;
  }

  /** A job was accepted and nothing else runs: shown from now on. */
  await(jobId: number): void {
    // It may have begun before the answer to its sending came.
    const begun = jobs.live(jobId);
    if (begun === undefined || begun.state === "queued") this.#awaited = jobId;
    this.#picked = false;
  }

  /** `returned`: from another view, where jobs may have ended that were added after one was picked. */
  async #refresh(returned = false): Promise<void> {
    this.#awaited = null;
    try {
      await jobs.caughtUp;
      const { ended } = jobs;
      if (returned && ended?.jobId !== this.#pickedOver) this.#picked = false;
      const unseen = ended !== null && ended !== this.#seen && !this.#picked;
      this.#seen = ended;
      if (unseen) await this.#show(ended.jobId);
      else if (this.#jobId !== null) await this.#show(this.#jobId);
      // None yet, or deleted meanwhile.
      if (this.#jobId === null) {
        const { ids } = await request("history:find", { filter: { states: ["done"] } });
        if (ids[0] !== undefined && this.#jobId === null) await this.#show(ids[0]);
      }
      this.#looked = true;
    } catch {
      // Shown as a lost connection; asked again when it is back.
    }
  }

  async #show(jobId: number): Promise<void> {
    const asked = ++this.#asked;
    this.#jobId = jobId;
    try {
      const { detail } = await request("history:detail", { jobId });
      if (asked !== this.#asked) return;
      this.#detail = detail.deletedAt === null ? detail : null;
      if (detail.deletedAt !== null) this.#jobId = null;
      this.#looked = true;
    } catch {
      if (asked !== this.#asked) return;
      this.#detail = null;
      this.#jobId = null;
    } finally {
      if (asked === this.#asked) liveJob.release();
    }
  }
}

export const shownResult = new ShownResult();
