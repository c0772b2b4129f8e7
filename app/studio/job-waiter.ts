// Waiting for one job: the queue runs for as long as somebody waits, and what happens to the job is told, wherever it
// runs.
import { setTimeout as sleep } from "node:timers/promises";
import { RushesError } from "../../contract/errors.ts";
import { isFinal, type Job } from "../../contract/job.ts";
import { databaseError } from "../history/database.ts";
import { requireJob } from "../history/reads/jobs.ts";
import { countBefore, isPaused } from "../history/reads/queue.ts";
import { JobFollower } from "../jobs/job-follower.ts";
import { QueueTrouble } from "./queue-trouble.ts";
import type { WaitOptions } from "./studio.ts";
import type { LocalCore } from "./studio-core.ts";

/** How often a waiting caller looks into the history, milliseconds. */
const lookPeriod = 100;

export class JobWaiter {
  readonly #core: LocalCore;
  #waiting = 0;
  #kept = false;

  constructor(core: LocalCore) {
    this.#core = core;
  }

  async wait(
    jobId: number,
    cancel: () => void,
    { signal, onEvent = () => {}, preview = false }: WaitOptions,
  ): Promise<Job> {
    const { database, runner, files } = this.#core;
    requireJob(database, jobId);
    const follower = new JobFollower(database, jobId);
    const endListening = this.#core.listenToJobs(onEvent);
    const endPreviews = preview ? this.#core.wantPreviews() : () => {};
    this.#waiting++;
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
    const troubles: unknown[] = [];
    const end = new AbortController();
    const endWaking = this.#core.listenToJobs((event) => {
      if (event.kind === "state" && event.jobId === jobId && isFinal(event.state)) end.abort();
    });
    let said: string | null = null;
    let heard: Promise<void> | null = null;
    try {
      for (;;) {
        const job = requireJob(database, jobId);
        const news = follower.news();
        if (!runner.ranHere(jobId)) news.forEach(onEvent);
        if (isFinal(job.state)) return job;
        if (this.#core.closed) throw new RushesError("job.interrupted", { sentence: "The studio was closed." });
        if (troubles.length > 0) throw databaseError(troubles[0], files.database);
        const sentence = this.#hindrance(job);
        if (sentence !== null && sentence !== said) onEvent({ kind: "waiting", jobId, sentence });
        said = sentence;
        const run = runner.pump(this.#wanted);
        // Calls while the queue runs share its end: one handler is enough.
        if (run !== heard) {
          heard = run;
          run.catch((error: unknown) => {
            troubles.push(error);
            end.abort();
          });
        }
        await sleep(lookPeriod, undefined, { signal: end.signal }).catch(() => {});
      }
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#waiting--;
      endPreviews();
      endListening();
      endWaking();
    }
  }

  /** Runs the queue from now on, until the studio is closed. */
  run(): void {
    if (this.#kept) return;
    this.#kept = true;
    this.#core.log.write("started");
    void this.#keepRunning();
  }

  /** Resolves when nobody waits any more; for a studio that closes. */
  async settled(): Promise<void> {
    while (this.#waiting > 0) await sleep(lookPeriod / 4);
  }

  /** Why the job does not run yet; null where nothing is before it. */
  #hindrance({ id, state }: Job): string | null {
    const { database, runner } = this.#core;
    if (state !== "queued") return null;
    if (isPaused(database))
      return "The queue of this library is paused: the job waits until it is resumed (rushes queue resume).";
    const count = countBefore(database, id);
    if (count === 0) return null;
    const elsewhere = runner.heldElsewhere() ? `; another program runs ${count === 1 ? "it" : "them"}` : "";
    return `Waits for ${count} earlier ${count === 1 ? "job" : "jobs"} of this library${elsewhere}.`;
  }

  readonly #wanted = () => this.#kept || this.#waiting > 0;

  async #keepRunning(): Promise<void> {
    const trouble = new QueueTrouble();
    while (!this.#core.closed) {
      const began = performance.now();
      let rest = lookPeriod;
      try {
        await this.#core.runner.pump(this.#wanted);
      } catch (error) {
        // A full disk or a locked library may be over in a moment; the queue must not stand still for it.
        const met = trouble.met(error, performance.now() - began);
        if (met.line !== null) this.#core.log.write(met.line);
        rest = met.rest;
      }
      if (!this.#core.closed) await sleep(rest, undefined, { ref: false });
    }
  }
}
