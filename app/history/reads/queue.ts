// What is running, what waits and in which order, and whether the queue is paused.
import type { Job } from "../../../contract/job.ts";
import type { HistoryDatabase } from "../database.ts";
import { jobFromRow, type JobRow } from "./job-row.ts";

export const waitingStatement = "SELECT * FROM jobs WHERE state = 'queued' ORDER BY position, id";
const runningStatement = "SELECT * FROM jobs WHERE state = 'running' ORDER BY id LIMIT 1";

export interface QueueRows {
  running: Job | null;
  waiting: Job[];
  paused: boolean;
}

export function readQueue(database: HistoryDatabase): QueueRows {
  return database.transaction((): QueueRows => {
    const running = database.prepare(runningStatement).get() as JobRow | undefined;
    const waiting = database.prepare(waitingStatement).all() as JobRow[];
    return {
      running: running ? jobFromRow(running) : null,
      waiting: waiting.map(jobFromRow),
      paused: isPaused(database),
    };
  })();
}

export function isPaused(database: HistoryDatabase): boolean {
  const row = database.prepare("SELECT paused FROM queue_state WHERE id = 1").get() as { paused: number } | undefined;
  return row?.paused === 1;
}

/** How many jobs run or wait before this one, which waits. */
export function countBefore(database: HistoryDatabase, id: number): number {
  const { count } = database
    .prepare(
      `SELECT (SELECT count(*) FROM jobs WHERE state = 'running') + (SELECT count(*) FROM jobs
         WHERE state = 'queued' AND (position, id) < (SELECT position, id FROM jobs WHERE id = ?)) AS count`,
    )
    .get(id) as { count: number };
  return count;
}

/** Jobs that run, with the runner that has them. */
export function readRunning(
  database: HistoryDatabase,
): { id: number; runner: string | null; progress: string | null }[] {
  return database.prepare("SELECT id, runner, progress FROM jobs WHERE state = 'running'").all() as {
    id: number;
    runner: string | null;
    progress: string | null;
  }[];
}

export interface LibraryNews {
  changes: { row: number; jobId: number; state: Job["state"]; note: string }[];
  log: { row: number; jobId: number; level: "info" | "warning"; line: string }[];
  revisions: Map<string, number>;
}

/** Everything written after the given rows of the two logs. */
export function readNews(database: HistoryDatabase, afterChange: number, afterLine: number): LibraryNews {
  return database.transaction((): LibraryNews => ({
    changes: database
      .prepare("SELECT id AS row, job_id AS jobId, state, note FROM job_changes WHERE id > ? ORDER BY id")
      .all(afterChange) as LibraryNews["changes"],
    log: database
      .prepare("SELECT id AS row, job_id AS jobId, level, line FROM job_log_lines WHERE id > ? ORDER BY id")
      .all(afterLine) as LibraryNews["log"],
    revisions: new Map(
      (
        database.prepare("SELECT subject, revision FROM library_revisions").all() as {
          subject: string;
          revision: number;
        }[]
      ).map(({ subject, revision }) => [subject, revision]),
    ),
  }))();
}

/** The newest rows of the two logs. */
export function newestRows(database: HistoryDatabase): { change: number; line: number } {
  return database
    .prepare(
      `SELECT (SELECT coalesce(max(id), 0) FROM job_changes) AS change,
         (SELECT coalesce(max(id), 0) FROM job_log_lines) AS line`,
    )
    .get() as { change: number; line: number };
}
