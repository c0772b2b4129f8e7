// Announces what is written into a library, by this process or another one: states and log lines of jobs, the order of
// the queue, results that come and go. SQLite counts the commits of other connections (data_version), so an idle library
// costs one comparison a look.
import type { Announcement } from "../../contract/channels/events.ts";
import type { JobProgress } from "../../contract/job.ts";
import type { HistoryDatabase } from "../history/database.ts";
import { type LibraryNews, newestRows, readNews, readRunning } from "../history/reads/queue.ts";

/** How often other processes' commits are looked for, milliseconds. */
const lookPeriod = 250;
/** More changed results than this are announced as "many". */
const fewJobs = 100;

export interface WatchTools {
  announce: (news: Announcement) => void;
  progressed: (jobId: number, progress: JobProgress) => void;
  /** The job no longer runs. */
  settled: (jobId: number) => void;
  /** The job that runs in this process: its progress is heard directly. */
  runsHere: () => number | null;
}

export class LibraryWatch {
  readonly #database: HistoryDatabase;
  readonly #tools: WatchTools;
  #timer: NodeJS.Timeout | null = null;
  #version = -1;
  #change = 0;
  #line = 0;
  #revisions = new Map<string, number>();
  readonly #progress = new Map<number, string>();

  constructor(database: HistoryDatabase, tools: WatchTools) {
    this.#database = database;
    this.#tools = tools;
  }

  /** Announces from now on. */
  start(): void {
    if (this.#timer) return;
    const { change, line } = newestRows(this.#database);
    [this.#change, this.#line] = [change, line];
    this.#revisions = readNews(this.#database, change, line).revisions;
    this.#version = this.#dataVersion();
    this.#timer = setInterval(() => this.#lookIfChanged(), lookPeriod).unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#progress.clear();
  }

  /** Looks at once; for what this process has written, which data_version does not count. What cannot be read just now (a
   * lock, a disk that is gone) is found by a later look: it must not make a committed change look like a refused one. */
  look(): void {
    try {
      this.#look();
    } catch {
      this.#version = -1;
    }
  }

  #look(): void {
    if (!this.#timer) return;
    const news = readNews(this.#database, this.#change, this.#line);
    this.#followRows(news);
    // An end comes after everything its runner says, the changes before it first.
    const last = new Map(news.changes.map(({ jobId, row }) => [jobId, row]));
    const ends = news.changes.filter(({ jobId, row, state }) => state !== "running" && last.get(jobId) === row);
    this.#announceStates(news.changes.filter((change) => !ends.includes(change)));
    for (const { jobId, level, line } of news.log)
      if (level === "info" || level === "warning") this.#tools.announce({ kind: "job:logged", jobId, level, line });
    this.#announceProgress();
    this.#announceStates(ends);
    this.#announceSets(news);
  }

  #lookIfChanged(): void {
    try {
      const version = this.#dataVersion();
      // The runner here writes log lines without saying so.
      if (version === this.#version && this.#tools.runsHere() === null) return;
      this.#version = version;
      this.look();
    } catch {
      // The history cannot be asked just now.
    }
  }

  #announceStates(changes: LibraryNews["changes"]): void {
    for (const { jobId, state, note } of changes) {
      if (state !== "running") {
        this.#tools.settled(jobId);
        this.#progress.delete(jobId);
      }
      this.#tools.announce({ kind: "job:changed", jobId, state, note });
    }
  }

  /** How far the jobs of other processes are. */
  #announceProgress(): void {
    for (const { id, progress } of readRunning(this.#database)) {
      if (progress === null || id === this.#tools.runsHere() || this.#progress.get(id) === progress) continue;
      this.#progress.set(id, progress);
      this.#tools.progressed(id, JSON.parse(progress) as JobProgress);
    }
  }

  #announceSets({ changes, revisions }: LibraryNews): void {
    const counted = (subject: string) => revisions.get(subject) !== this.#revisions.get(subject);
    const queue = changes.length > 0 || counted("queue");
    const jobIds = [...new Set(changes.map(({ jobId }) => jobId))];
    const marked = counted("history");
    this.#revisions = revisions;
    if (queue) this.#tools.announce({ kind: "queue:changed" });
    if (marked || jobIds.length > 0)
      this.#tools.announce({ kind: "history:changed", jobIds: marked || jobIds.length > fewJobs ? null : jobIds });
  }

  #followRows({ changes, log }: LibraryNews): void {
    const newest = newestRows(this.#database);
    // Row numbers start lower again when the newest rows were deleted with their job.
    this.#change = changes.at(-1)?.row ?? Math.min(this.#change, newest.change);
    this.#line = log.at(-1)?.row ?? Math.min(this.#line, newest.line);
  }

  #dataVersion(): number {
    return this.#database.pragma("data_version", { simple: true }) as number;
  }
}
