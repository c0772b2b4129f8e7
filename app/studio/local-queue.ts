// The queue as people change it: adding, ordering, editing, pausing. Running it is app/jobs' work.
import { rm } from "node:fs/promises";
import type { QueueState } from "../../contract/channels/queue.ts";
import type { Job } from "../../contract/job.ts";
import { isInLibrary } from "../history/library-paths.ts";
import { requireJob, unknownJob } from "../history/reads/jobs.ts";
import { readQueue } from "../history/reads/queue.ts";
import { type AcceptedJob, insertJobs } from "../history/writes/jobs.ts";
import {
  editInQueue,
  moveInQueue,
  moveToFront,
  removeFromQueue,
  requestKeep,
  writePaused,
} from "../history/writes/queue.ts";
import { learntPlan } from "../jobs/learnt-seconds.ts";
import type { PlannedRequest } from "./accept.ts";
import { acceptedJobs, type WantedVideo } from "./accepted-job.ts";
import { requestOfDraft } from "./draft-request.ts";
import { commitWithInputs } from "./kept-inputs.ts";
import type { JobRequest, LocalDraft, StudioQueue } from "./studio.ts";
import type { LocalCore } from "./studio-core.ts";

export class LocalQueue implements StudioQueue {
  readonly #core: LocalCore;
  readonly #accept: (request: JobRequest) => Promise<PlannedRequest>;

  constructor(core: LocalCore, accept: (request: JobRequest) => Promise<PlannedRequest>) {
    this.#core = core;
    this.#accept = accept;
  }

  state(): QueueState {
    const { running, waiting, paused } = readQueue(this.#core.database);
    return {
      running,
      preview: running && this.#core.previews.latest(running.id),
      waiting,
      paused,
      elsewhere: this.#core.runner.heldElsewhere(),
      etaSeconds: secondsLeft(running, waiting),
    };
  }

  async add(drafts: readonly LocalDraft[], place: "end" | "next" = "end"): Promise<Job[]> {
    const requests: JobRequest[] = [];
    for (const draft of drafts) requests.push(await requestOfDraft(draft, this.#core.libraryFolder));
    return this.enqueue(requests, place);
  }

  async enqueue(requests: readonly JobRequest[], place: "end" | "next" = "end"): Promise<Job[]> {
    const wanted: WantedVideo[] = [];
    for (const request of requests) wanted.push({ checked: await this.#accept(request), savePath: request.savePath });
    const accepted = await acceptedJobs(wanted, this.#expected);
    const ids = await this.#commitJobs(accepted, (database, jobs) => insertJobs(database, jobs, Date.now(), place));
    return ids.map((id) => requireJob(this.#core.database, id));
  }

  move(jobId: number, beforeJobId: number | null): void {
    this.#core.commit((database) => moveInQueue(database, jobId, beforeJobId));
  }

  runNext(jobId: number): void {
    this.#core.commit((database) => moveToFront(database, jobId));
  }

  async edit(jobId: number, draft: LocalDraft): Promise<Job> {
    const request = await requestOfDraft(draft, this.#core.libraryFolder);
    const checked = await this.#accept({ ...request, settings: { ...request.settings, numSamples: 1 } });
    const edited = await acceptedJobs([{ checked, savePath: undefined }], this.#expected);
    const outdated = await this.#commitJobs(edited, (database, [job]) => {
      if (!job) throw unknownJob(jobId);
      return editInQueue(database, jobId, job);
    });
    // It becomes another video.
    this.#core.previews.forget(jobId);
    // Left behind they would only take room: no job names them any more.
    for (const path of outdated) if (isInLibrary(this.#core.database, path)) await rm(path, { force: true });
    return requireJob(this.#core.database, jobId);
  }

  remove(jobIds: readonly number[]): void {
    this.#core.commit((database) => removeFromQueue(database, jobIds));
  }

  pause(): void {
    if (this.#core.commit((database) => writePaused(database, true))) this.#core.log.write("the queue is paused");
    this.#core.runner.heed();
  }

  resume(): void {
    if (this.#core.commit((database) => writePaused(database, false))) this.#core.log.write("the queue goes on");
    this.#core.runner.heed();
  }

  keep(jobId: number): void {
    this.#core.commit((database) => requestKeep(database, jobId));
    this.#core.runner.heed();
  }

  readonly #expected = ({ model, plan }: PlannedRequest) => learntPlan(this.#core.database, model.id, plan).seconds;

  #commitJobs<T>(
    accepted: readonly AcceptedJob[],
    write: (database: LocalCore["database"], jobs: AcceptedJob[]) => T,
  ): Promise<T> {
    return commitWithInputs(accepted, this.#core.files.inputs, (change) => this.#core.commit(change), write);
  }
}

/** What is left of the running job and what the waiting ones were expected to take; null while nothing is known. */
function secondsLeft(running: Job | null, waiting: readonly Job[]): number | null {
  const known = waiting.map(({ expectedSeconds }) => expectedSeconds).filter((seconds) => seconds !== null);
  const rest = running && (running.progress?.etaSeconds ?? running.expectedSeconds);
  if (known.length === 0 && rest === null) return null;
  return known.reduce((sum, seconds) => sum + seconds, rest ?? 0);
}
