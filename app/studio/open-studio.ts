// Opens a studio on a library folder of this machine, made of its parts: the queue, the machine, and what asks the
// engine directly.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import type { Announcement } from "../../contract/channels/events.ts";
import type { Job, JobDetail, RetryChanges } from "../../contract/job.ts";
import type { ModelChoice, ModelManifest } from "../../contract/models.ts";
import type { Inspection, Machine, Plan, SelfTest } from "../engine/addon.ts";
import { type CallOptions, EngineClient } from "../engine/client.ts";
import type { HistoryDatabase } from "../history/database.ts";
import {
  type HistoryQuery,
  listJobs,
  readDetail,
  readStages,
  readTokenIds,
  requireJob,
  searchJobs,
} from "../history/reads/jobs.ts";
import { insertJobs, queueAgain, requestCancel } from "../history/writes/jobs.ts";
import { LibraryFiles } from "../jobs/library-files.ts";
import type { Model } from "../models/find-model.ts";
import { PresetStore } from "../presets/preset-store.ts";
import { libraryFolderOf } from "../settings/library-folder.ts";
import { acceptRequest, type PlannedRequest } from "./accept.ts";
import { JobWaiter } from "./job-waiter.ts";
import { LocalForm } from "./local-form.ts";
import { LocalMachine } from "./local-machine.ts";
import { LocalModels } from "./local-models.ts";
import { LocalQueue } from "./local-queue.ts";
import type { BenchOptions, CheckedRequest, JobRequest, Studio, StudioOptions, WaitOptions } from "./studio.ts";
import { LocalCore } from "./studio-core.ts";
import { StudioExports } from "./studio-exports.ts";
import type { StudioListener } from "./studio-events.ts";

export async function openStudio(options: StudioOptions = {}): Promise<Studio> {
  const files = new LibraryFiles(libraryFolderOf(options.libraryFolder));
  const { addonPath, spawnEngine, background = false } = options;
  const engineOptions = { background, cacheFolder: files.cache, ...(spawnEngine && { spawn: spawnEngine }) };
  const newEngine = () => new EngineClient(addonPath, engineOptions);
  return new LocalStudio(new LocalCore(files, newEngine()), newEngine);
}

class LocalStudio implements Studio {
  readonly #core: LocalCore;
  readonly #waiter: JobWaiter;
  readonly queue: LocalQueue;
  readonly machineState: LocalMachine;
  readonly exports: StudioExports;
  readonly installedModels: LocalModels;
  readonly presets: PresetStore;
  readonly form: LocalForm;

  constructor(core: LocalCore, newEngine: () => EngineClient) {
    this.#core = core;
    this.#waiter = new JobWaiter(core);
    this.queue = new LocalQueue(core, (request) => this.#accept(request));
    this.machineState = new LocalMachine(core);
    this.exports = new StudioExports(core, newEngine);
    this.installedModels = new LocalModels(core);
    this.presets = new PresetStore(core.libraryFolder, () => core.announce({ kind: "presets:changed" }));
    this.form = new LocalForm(core, this.installedModels, this.presets);
  }

  get libraryFolder(): string {
    return this.#core.libraryFolder;
  }

  get files(): LibraryFiles {
    return this.#core.files;
  }

  get engine(): EngineClient {
    return this.#core.engine;
  }

  get card(): LocalCore["card"] {
    return this.#core.card;
  }

  get database(): HistoryDatabase {
    return this.#core.database;
  }

  get log(): LocalCore["log"] {
    return this.#core.log;
  }

  announce(news: Announcement): void {
    this.#core.announce(news);
  }

  listen(listener: StudioListener): () => void {
    const end = this.#core.listen(listener);
    this.machineState.watch();
    return end;
  }

  noticed(): void {
    this.#core.noticed();
  }

  commit<T>(change: (database: HistoryDatabase) => T): T {
    return this.#core.commit(change);
  }

  run(): void {
    this.#waiter.run();
  }

  preview(jobId: number, step: number | null = null): Uint8Array | null {
    return this.#core.previews.png(jobId, step);
  }

  models(): ModelManifest[] {
    return this.installedModels.manifests();
  }

  model(choice: ModelChoice): Promise<Model> {
    return this.installedModels.model(choice);
  }

  inspect(path: string): Promise<Inspection> {
    return this.installedModels.inspect(path);
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

  enqueueAll(requests: JobRequest[]): Promise<Job[]> {
    return this.queue.enqueue(requests);
  }

  async decodeAgain(jobId: number): Promise<Job> {
    const source = requireJob(this.database, jobId);
    if (source.latentsPath === null || !existsSync(source.latentsPath)) throw new RushesError("latents.missing");
    const ids = readTokenIds(this.database, jobId);
    const again = { ...source, uid: randomUUID(), kind: "decode", ids, warnings: [], savePath: null } as const;
    const expectedSeconds = this.#decodeSeconds(source);
    const [id = 0] = this.commit((database) =>
      insertJobs(database, [{ ...again, expectedSeconds, sourceJobId: jobId }]),
    );
    return requireJob(this.database, id);
  }

  again(jobId: number, changes: RetryChanges = {}): Job {
    this.commit((database) => queueAgain(database, jobId, changes));
    return requireJob(this.database, jobId);
  }

  wait(jobId: number, options: WaitOptions = {}): Promise<Job> {
    return this.#waiter.wait(jobId, () => this.cancel(jobId), options);
  }

  cancel(...jobIds: number[]): void {
    this.commit((database) =>
      database.transaction(() => jobIds.forEach((id) => requestCancel(database, id))).immediate(),
    );
    for (const id of jobIds) this.#core.runner.cancel(id);
  }

  list(query: HistoryQuery = {}): Job[] {
    return listJobs(this.database, query);
  }

  search(words: string, query: HistoryQuery = {}): Job[] {
    return searchJobs(this.database, words, query);
  }

  get(jobId: number): JobDetail | null {
    return readDetail(this.database, jobId);
  }

  machine(): Promise<Machine> {
    return this.engine.call("machine", []);
  }

  selfTest(threads = 0): Promise<SelfTest> {
    return this.engine.call("selfTest", [threads]);
  }

  bench({ signal, endToEnd, ...options }: BenchOptions, onLine: (line: string) => void): Promise<unknown> {
    const callOptions: CallOptions = {
      ...(signal ? { signal } : {}),
      onEvent: (event) => {
        if (event.kind === "line") onLine(event.line);
      },
    };
    if (!endToEnd) return this.engine.call("bench", [options], callOptions);
    const { threads } = options;
    const folder = join(this.files.cache, "benchmark");
    return this.engine.call(
      "benchEndToEnd",
      [{ folder, ...endToEnd, ...(threads === undefined ? {} : { threads }) }],
      callOptions,
    );
  }

  async close(): Promise<void> {
    if (this.#core.closed) return;
    this.machineState.close();
    await this.exports.close();
    await this.#core.stop();
    // Waiters look once more and find the studio closed.
    await this.#waiter.settled();
    this.#core.release();
  }

  /** What the decode of a finished job took; null where none was measured. */
  #decodeSeconds({ id, state }: Job): number | null {
    if (state !== "done") return null;
    return readStages(this.database, id).findLast(({ stage }) => stage === "decode")?.seconds ?? null;
  }

  #accept(request: JobRequest): Promise<PlannedRequest> {
    return acceptRequest(request, this.engine, this.installedModels);
  }
}

function first(job: Job | undefined): Job {
  if (!job) throw new RushesError("engine.internal", { detail: "no job came of a request" });
  return job;
}
