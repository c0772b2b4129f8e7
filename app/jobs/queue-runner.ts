// Runs a library's queue while it is wanted here: holds the lease, takes jobs in their order, one at a time.
import { randomUUID } from "node:crypto";
import { setImmediate as macrotask, setTimeout as sleep } from "node:timers/promises";
import { ownIdentity } from "../history/process-identity.ts";
import { isPaused } from "../history/reads/queue.ts";
import { giveUpReserve, keepReserve } from "../history/reserve.ts";
import { removeStrayInputs } from "../history/writes/inputs.ts";
import { giveBackLease, isHeldElsewhere, keepLease, type Lease, takeLease } from "../history/writes/lease.ts";
import { takeNextJob } from "../history/writes/runs.ts";
import { removePartialFiles } from "../media/whole-file.ts";
import { removeOldEmbeddings } from "./embedding-cache.ts";
import { JobRun, type RunTools } from "./job-run.ts";
import { deleteOldLatents } from "./latents-policy.ts";

const heartbeatPeriod = 2000;
/** How often a process that waits for the lease, or for a job to come, looks again. */
const lookPeriod = 100;
/** How often what is kept for later is looked through: a program that stays open may hold the lease for months. */
const sweepPeriod = 6 * 60 * 60 * 1000;

export class QueueRunner {
  readonly #tools: Omit<RunTools, "runner">;
  readonly #lease: Lease = { token: randomUUID(), ...ownIdentity() };
  readonly #ranHere = new Set<number>();
  #held = false;
  #stopped = false;
  #run: JobRun | null = null;
  #pump: Promise<void> | null = null;
  /** The queue is paused and the engine gave its memory back. */
  #freed = false;
  /** When the last sweep began. */
  #sweptAt = 0;

  constructor(tools: Omit<RunTools, "runner">) {
    this.#tools = tools;
  }

  /** The job that runs in this process. */
  get runningId(): number | null {
    return this.#run?.id ?? null;
  }

  /** True while another living process holds the lease. */
  heldElsewhere(): boolean {
    return !this.#held && isHeldElsewhere(this.#tools.database, this.#lease);
  }

  /** True for jobs whose events were emitted by this process. */
  ranHere(id: number): boolean {
    return this.#ranHere.has(id);
  }

  /** Runs jobs, as long as the lease can be had, until `wanted` says no. Calls while it runs share its end. */
  pump(wanted: () => boolean): Promise<void> {
    this.#pump ??= this.#work(wanted).finally(() => (this.#pump = null));
    return this.#pump;
  }

  /** Cancels the job if it runs here: the history's flag would be read a moment later. */
  cancel(id: number): void {
    if (this.#run?.id === id) this.#run.end("cancel");
  }

  /** Reads what the history says people want of the running job, which would be read a moment later. */
  heed(): void {
    this.#run?.heed();
  }

  /** Puts the running job back into the queue and gives the lease back. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#run?.end("stop");
    await this.#pump?.catch(() => {});
  }

  async #work(wanted: () => boolean): Promise<void> {
    const heartbeat = setInterval(() => this.#beat(), heartbeatPeriod);
    try {
      while (wanted() && !this.#stopped) {
        await this.#freeWhilePaused();
        const held = await this.#hold();
        if (held && Date.now() - this.#sweptAt > sweepPeriod) await this.#sweep();
        // A job that nobody here wants is not taken only to be put back.
        if (!wanted() || this.#stopped) break;
        const id = held ? takeNextJob(this.#tools.database, this.#lease.token) : null;
        if (id === null) {
          await sleep(lookPeriod);
          continue;
        }
        keepReserve(this.#tools.database);
        this.#ranHere.add(id);
        this.#run = new JobRun({ ...this.#tools, runner: this.#lease.token }, id);
        try {
          await this.#run.run();
        } finally {
          this.#run = null;
        }
        // Whoever waited for this job says now whether there is more to wait for.
        await macrotask();
      }
    } finally {
      clearInterval(heartbeat);
      const held = this.#held;
      // First: where the history cannot be written, the lease is taken anew, with what this run left behind.
      this.#held = false;
      if (held) {
        giveUpReserve(this.#tools.database);
        giveBackLease(this.#tools.database, this.#lease.token);
      }
    }
  }

  /** Paused means that the model's memory is free for other programs. */
  async #freeWhilePaused(): Promise<void> {
    const { database, engine } = this.#tools;
    if (!isPaused(database)) this.#freed = false;
    else if (!this.#freed) {
      this.#freed = true;
      // Refused or died: the memory is in use by another call, or free already.
      if (engine.processId !== null) await engine.call("unload", []).catch(() => {});
    }
  }

  /** Takes the lease, or keeps it; whoever takes it clears up after the last holder. */
  async #hold(): Promise<boolean> {
    if (this.#held) return true;
    const { taken, recovered } = takeLease(this.#tools.database, this.#lease);
    if (!taken) return false;
    this.#held = true;
    for (const folder of [this.#tools.files.videos, this.#tools.files.latents, this.#tools.files.embeddings])
      await removePartialFiles(folder);
    await this.#sweep();
    for (const jobId of recovered)
      this.#tools.emit({ kind: "state", jobId, state: "queued", note: "the program that ran it ended" });
    return true;
  }

  /** Removes what nobody needs any more. */
  async #sweep(): Promise<void> {
    const { database, files } = this.#tools;
    this.#sweptAt = Date.now();
    try {
      removeStrayInputs(database, files.inputs);
      await deleteOldLatents(database);
      await removeOldEmbeddings(files.embeddings);
    } catch {
      // What cannot be removed now is tried again by the next sweep; jobs do not wait for it.
    }
  }

  #beat(): void {
    if (!this.#held) return;
    try {
      if (keepLease(this.#tools.database, this.#lease.token)) return;
      this.#held = false;
      this.#run?.end("lost");
    } catch {
      // The history cannot be written just now; the run's own writes will say so.
    }
  }
}
