// Opens a studio on a library folder of this machine. The folder, the history and the engine's process come into being
// when they are first needed.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { RushesError } from "../../contract/errors.ts";
import { isFinal, type Job, type JobDetail, type JobEvent } from "../../contract/job.ts";
import type { ModelChoice, ModelManifest } from "../../contract/models.ts";
import type { Inspection, Machine, Plan, SelfTest } from "../engine/addon.ts";
import { EngineClient } from "../engine/client.ts";
import { databaseError, type HistoryDatabase, openDatabase } from "../history/database.ts";
import { type HistoryQuery, listJobs, readDetail, readJob, readTokenIds, searchJobs } from "../history/reads/jobs.ts";
import { type AcceptedJob, insertJobs, queueAgain, requestCancel, unknownJob } from "../history/writes/jobs.ts";
import { JobFollower } from "../jobs/job-follower.ts";
import { LibraryFiles } from "../jobs/library-files.ts";
import { QueueRunner } from "../jobs/queue-runner.ts";
import { checkSavePath, copyTarget } from "../jobs/save-path.ts";
import { withSuffix } from "../media/whole-file.ts";
import { listModels } from "../models/catalogue.ts";
import { findChosenModel, type Model } from "../models/find-model.ts";
import { libraryFolderOf } from "../settings/library-folder.ts";
import { acceptRequest, type PlannedRequest, samplesOf } from "./accept.ts";
import type { BenchOptions, CheckedRequest, JobRequest, Studio, StudioOptions, WaitOptions } from "./studio.ts";

/** How often a waiting caller looks into the history, milliseconds. */
const lookPeriod = 100;

export async function openStudio(options: StudioOptions = {}): Promise<Studio> {
  return new LocalStudio(libraryFolderOf(options.libraryFolder), new EngineClient(options.addonPath));
}

class LocalStudio implements Studio {
  readonly #files: LibraryFiles;
  readonly #engine: EngineClient;
  readonly #listeners = new Set<(event: JobEvent) => void>();
  #open: { database: HistoryDatabase; runner: QueueRunner } | null = null;
  #closed = false;
  #waiting = 0;
  #previewing = 0;

  constructor(libraryFolder: string, engine: EngineClient) {
    this.#files = new LibraryFiles(libraryFolder);
    this.#engine = engine;
  }

  get libraryFolder(): string {
    return this.#files.folder;
  }

  models(): ModelManifest[] {
    return listModels();
  }

  model(choice: ModelChoice): Promise<Model> {
    return findChosenModel(choice, (path) => this.inspect(path));
  }

  inspect(path: string): Promise<Inspection> {
    return this.#engine.call("inspect", [path]);
  }

  check(request: JobRequest): Promise<CheckedRequest> {
    return this.#accept(request);
  }

  async plan(request: JobRequest): Promise<Plan> {
    return (await this.#accept(request)).plan;
  }

  async enqueue(request: JobRequest): Promise<Job> {
    const settings = { ...request.settings, numSamples: 1 };
    const [job] = await this.enqueueAll([{ ...request, settings }]);
    return first(job);
  }

  async enqueueAll(requests: JobRequest[]): Promise<Job[]> {
    const accepted: AcceptedJob[] = [];
    for (const request of requests) {
      const checked = await this.#accept(request);
      const samples = samplesOf(checked.settings);
      const savePath = request.savePath === undefined ? null : await checkSavePath(request.savePath);
      for (const settings of samples) {
        const wanted = savePath && ownSavePath(savePath, accepted);
        accepted.push(acceptedJob({ ...checked, settings }, wanted));
      }
    }
    return this.#insert(accepted);
  }

  async decodeAgain(jobId: number): Promise<Job> {
    const { database } = this.#library();
    const source = this.#job(jobId);
    if (source.latentsPath === null || !existsSync(source.latentsPath)) throw new RushesError("latents.missing");
    const [job] = this.#insert([
      {
        ...source,
        uid: randomUUID(),
        kind: "decode",
        ids: readTokenIds(database, jobId),
        warnings: [],
        savePath: null,
        sourceJobId: jobId,
      },
    ]);
    return first(job);
  }

  again(jobId: number): Job {
    queueAgain(this.#library().database, jobId);
    return this.#job(jobId);
  }

  async wait(jobId: number, { signal, onEvent = () => {}, preview = false }: WaitOptions = {}): Promise<Job> {
    const { database, runner } = this.#library();
    this.#job(jobId);
    const follower = new JobFollower(database, jobId);
    const cancel = () => this.cancel(jobId);
    this.#listeners.add(onEvent);
    this.#waiting++;
    if (preview) this.#previewing++;
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
    const troubles: unknown[] = [];
    const end = new AbortController();
    const wake = (event: JobEvent) => {
      if (event.kind === "state" && event.jobId === jobId && isFinal(event.state)) end.abort();
    };
    this.#listeners.add(wake);
    try {
      for (;;) {
        const job = this.#job(jobId);
        const news = follower.news();
        if (!runner.ranHere(jobId)) news.forEach(onEvent);
        if (isFinal(job.state)) return job;
        if (this.#closed) throw new RushesError("job.interrupted", { sentence: "The studio was closed." });
        if (troubles.length > 0) throw databaseError(troubles[0], this.#files.database);
        runner
          .pump(() => this.#waiting > 0)
          .catch((error: unknown) => {
            troubles.push(error);
            end.abort();
          });
        await sleep(lookPeriod, undefined, { signal: end.signal }).catch(() => {});
      }
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#waiting--;
      if (preview) this.#previewing--;
      this.#listeners.delete(onEvent);
      this.#listeners.delete(wake);
    }
  }

  cancel(jobId: number): void {
    const { database, runner } = this.#library();
    requestCancel(database, jobId);
    runner.cancel(jobId);
  }

  list(query: HistoryQuery = {}): Job[] {
    return listJobs(this.#library().database, query);
  }

  search(words: string, query: HistoryQuery = {}): Job[] {
    return searchJobs(this.#library().database, words, query);
  }

  get(jobId: number): JobDetail | null {
    return readDetail(this.#library().database, jobId);
  }

  machine(): Promise<Machine> {
    return this.#engine.call("machine", []);
  }

  selfTest(threads = 0): Promise<SelfTest> {
    return this.#engine.call("selfTest", [threads]);
  }

  bench({ signal, ...options }: BenchOptions, onLine: (line: string) => void): Promise<unknown> {
    return this.#engine.call("bench", [options], {
      ...(signal ? { signal } : {}),
      onEvent: (event) => {
        if (event.kind === "line") onLine(event.line);
      },
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#open?.runner.stop();
    await this.#engine.close();
    // Waiters look once more and find the studio closed.
    while (this.#waiting > 0) await sleep(lookPeriod / 4);
    this.#open?.database.close();
  }

  #accept(request: JobRequest): Promise<PlannedRequest> {
    return acceptRequest(request, this.#engine, (path) => this.inspect(path));
  }

  #insert(accepted: readonly AcceptedJob[]): Job[] {
    const { database } = this.#library();
    try {
      return insertJobs(database, accepted).map((id) => this.#job(id));
    } catch (error) {
      throw databaseError(error, this.#files.database);
    }
  }

  #library(): { database: HistoryDatabase; runner: QueueRunner } {
    if (!this.#open) {
      if (this.#closed) throw new RushesError("engine.internal", { sentence: "The studio is closed." });
      this.#files.make();
      const database = openDatabase(this.#files.database);
      const emit = (event: JobEvent) => this.#listeners.forEach((listener) => listener(event));
      const tools = { database, files: this.#files, engine: this.#engine, emit, previews: () => this.#previewing > 0 };
      this.#open = { database, runner: new QueueRunner(tools) };
    }
    return this.#open;
  }

  #job(id: number): Job {
    const job = readJob(this.#library().database, id);
    if (!job) throw unknownJob(id);
    return job;
  }
}

function first(job: Job | undefined): Job {
  if (!job) throw new RushesError("engine.internal", { detail: "no job came of a request" });
  return job;
}

function acceptedJob({ model, dit, settings, ids, warnings }: PlannedRequest, savePath: string | null): AcceptedJob {
  const { vae, textEncoder, tokenizer } = model.files;
  return {
    uid: randomUUID(),
    kind: "generate",
    mode: settings.mode,
    model: model.id,
    files: { dit, vae, textEncoder, tokenizer, textLength: model.textLength },
    settings,
    ids,
    warnings,
    latentsPath: null,
    savePath,
    sourceJobId: null,
  };
}

/** Several videos for one named file become name.mp4, name-2.mp4, ... */
function ownSavePath(savePath: string, others: readonly AcceptedJob[]): string {
  const { path, replace } = copyTarget(savePath, "");
  if (!replace) return savePath;
  const taken = new Set(others.map((other) => other.savePath));
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? path : withSuffix(path, `-${count}`);
    if (!taken.has(candidate)) return candidate;
  }
}
