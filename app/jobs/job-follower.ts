// Hearing of a job that another process runs: what the history says now and did not say before.
import type { JobEvent } from "../../contract/job.ts";
import type { HistoryDatabase } from "../history/database.ts";
import { readChanges, readJob, readLogAfter } from "../history/reads/jobs.ts";

export class JobFollower {
  readonly #database: HistoryDatabase;
  readonly #id: number;
  #changes = 0;
  #logRow = 0;
  #progress = "";

  /** Starts at what is known now. */
  constructor(database: HistoryDatabase, id: number) {
    this.#database = database;
    this.#id = id;
    this.news();
  }

  news(): JobEvent[] {
    const jobId = this.#id;
    const events: JobEvent[] = [];
    const changes = readChanges(this.#database, jobId);
    const log = readLogAfter(this.#database, jobId, this.#logRow);
    const progress = readJob(this.#database, jobId)?.progress ?? null;
    const written = JSON.stringify(progress);
    // Being taken comes before everything the runner says, an end after it.
    const states = changes.slice(this.#changes).map(({ state, note }): JobEvent => {
      return { kind: "state", jobId, state, note };
    });
    const begun = states.filter((event) => event.kind === "state" && event.state === "running");
    events.push(...begun);
    for (const { level, line } of log) events.push({ kind: "log", jobId, level, line });
    if (progress && written !== this.#progress) events.push({ kind: "progress", jobId, progress });
    events.push(...states.filter((event) => !begun.includes(event)));
    this.#changes = changes.length;
    this.#logRow = log.at(-1)?.row ?? this.#logRow;
    this.#progress = written;
    return events;
  }
}
