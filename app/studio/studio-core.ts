// What every part of a studio works with: the library's files and database, the engine, the events and the log. A part
// (queue, history, presets, exports, ...) takes this and nothing else, and says its changes with announce().
import { RushesError } from "../../contract/errors.ts";
import type { Announcement } from "../../contract/channels/events.ts";
import { isFinal, type JobEvent } from "../../contract/job.ts";
import type { EngineClient } from "../engine/client.ts";
import { databaseError, type HistoryDatabase, openDatabase } from "../history/database.ts";
import { settleLibrary } from "../history/writes/library-folder.ts";
import type { LibraryFiles } from "../jobs/library-files.ts";
import { QueueRunner } from "../jobs/queue-runner.ts";
import { KnownCard } from "./known-card.ts";
import { LibraryWatch } from "./library-watch.ts";
import { PreviewStore } from "./preview-store.ts";
import { StudioEvents, type StudioListener } from "./studio-events.ts";
import { StudioLog } from "./studio-log.ts";

export interface StudioCore {
  readonly libraryFolder: string;
  readonly files: LibraryFiles;
  readonly engine: EngineClient;
  /** The machine's graphics card, as far as the engine has told. */
  readonly card: KnownCard;
  /** The library's history. It and the folder come into being when this is first read; throws history.* and
   * file.unwritable, and engine.internal when the studio is closed. */
  readonly database: HistoryDatabase;
  /** The log file of the library. */
  readonly log: StudioLog;
  /** Says something to every listener; it gets the next number. What is written to the tables of jobs and of the queue is
   * announced without this (noticed). */
  announce(news: Announcement): void;
  /** Hears everything from now on; the function that is given back ends it. */
  listen(listener: StudioListener): () => void;
  /** Announces at once what this process has just committed to jobs or the queue, which is otherwise seen a moment
   * later. */
  noticed(): void;
  /** Changes jobs or the queue and announces it at once. What people can do something about is thrown as a sentence. */
  commit<T>(change: (database: HistoryDatabase) => T): T;
}

interface OpenLibrary {
  database: HistoryDatabase;
  runner: QueueRunner;
  watch: LibraryWatch;
}

/** The core of a studio on this machine. The folder, the history and the engine's process come into being when they are
 * first needed. */
export class LocalCore implements StudioCore {
  readonly files: LibraryFiles;
  readonly engine: EngineClient;
  readonly card: KnownCard;
  readonly log: StudioLog;
  readonly previews = new PreviewStore();
  readonly #events = new StudioEvents();
  readonly #jobListeners = new Set<(event: JobEvent) => void>();
  #open: OpenLibrary | null = null;
  #closed = false;
  #previewing = 0;

  constructor(files: LibraryFiles, engine: EngineClient) {
    this.files = files;
    this.engine = engine;
    this.card = new KnownCard(engine);
    this.log = new StudioLog(files.logs);
  }

  get libraryFolder(): string {
    return this.files.folder;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** True once the history was asked for. */
  get opened(): boolean {
    return this.#open !== null;
  }

  get listenerCount(): number {
    return this.#events.listenerCount;
  }

  get database(): HistoryDatabase {
    return this.#library().database;
  }

  get runner(): QueueRunner {
    return this.#library().runner;
  }

  announce(news: Announcement): void {
    this.#events.announce(news);
  }

  listen(listener: StudioListener): () => void {
    const end = this.#events.listen(listener);
    this.#library().watch.start();
    return () => {
      end();
      if (this.#events.listenerCount === 0) this.#open?.watch.stop();
    };
  }

  noticed(): void {
    this.#open?.watch.look();
  }

  commit<T>(change: (database: HistoryDatabase) => T): T {
    const { database } = this;
    try {
      return change(database);
    } catch (error) {
      throw databaseError(error, this.files.database);
    } finally {
      this.noticed();
    }
  }

  /** Hears of the jobs that run here, as they run; the function that is given back ends it. */
  listenToJobs(listener: (event: JobEvent) => void): () => void {
    this.#jobListeners.add(listener);
    return () => void this.#jobListeners.delete(listener);
  }

  /** Asks for previews, which cost some time, until the function that is given back is called. */
  wantPreviews(): () => void {
    this.#previewing++;
    return () => void this.#previewing--;
  }

  /** Stops what runs here and ends the engine; the history can be read until release(). */
  async stop(): Promise<void> {
    this.#closed = true;
    await this.#open?.runner.stop();
    await this.engine.close();
  }

  release(): void {
    this.#open?.watch.look();
    this.#open?.watch.stop();
    this.#events.close();
    this.#open?.database.close();
  }

  #library(): OpenLibrary {
    if (this.#open) return this.#open;
    if (this.#closed) throw new RushesError("engine.internal", { sentence: "The studio is closed." });
    this.files.make();
    const database = openDatabase(this.files.database);
    try {
      settleLibrary(database);
    } catch (error) {
      database.close();
      throw databaseError(error, this.files.database);
    }
    const runner = new QueueRunner({
      database,
      files: this.files,
      engine: this.engine,
      emit: (event) => this.#heard(event),
      previews: () => this.#previewing > 0 || this.#events.listenerCount > 0,
    });
    const watch = new LibraryWatch(database, {
      announce: (news) => this.#events.announce(news),
      progressed: (jobId, progress) => this.#events.progressed(jobId, progress),
      settled: (jobId) => this.#events.settled(jobId),
      runsHere: () => runner.runningId,
    });
    this.#open = { database, runner, watch };
    return this.#open;
  }

  /** What the runner of this process says. States and log lines are announced from the history, where those of other
   * processes are found too: each once, in one order. */
  #heard(event: JobEvent): void {
    for (const listener of [...this.#jobListeners]) listener(event);
    const { jobId } = event;
    if (event.kind === "state") {
      this.log.write(`job ${jobId}: ${event.state}${event.note && ` (${event.note})`}`);
      if (isFinal(event.state)) this.previews.forgetLater(jobId);
      this.noticed();
    } else if (event.kind === "progress") this.#events.progressed(jobId, event.progress);
    else if (event.kind === "preview") {
      const { step, width, height, approximate } = event;
      this.previews.keep(jobId, event);
      this.announce({ kind: "job:previewed", jobId, step, width, height, approximate });
    }
  }
}
