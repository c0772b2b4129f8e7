// Writing what a running job reports: its start, progress, step latents, stages, log and result.
import type {
  Int8Summary,
  JobLogLine,
  JobProgress,
  JobStageRecord,
  JobStepLatents,
  JobVideo,
} from "../../../contract/job.ts";
import type { LoweredPlan } from "../../../contract/lowered-plan.ts";
import type { HistoryDatabase } from "../database.ts";
import { isPaused } from "../reads/queue.ts";
import { insertChange } from "./jobs.ts";

export const nextQueued = "SELECT id FROM jobs WHERE state = 'queued' ORDER BY position, id LIMIT 1";

/** Takes the first queued job for a runner; its id, or null when the queue is empty or paused, or the lease is no longer
 * his. */
export function takeNextJob(database: HistoryDatabase, runner: string, now = Date.now()): number | null {
  // Asked many times a second by a runner without work: only a job that is there is worth a lock.
  if (isPaused(database) || !database.prepare(nextQueued).get()) return null;
  return database
    .transaction((): number | null => {
      const lease = database.prepare("SELECT token FROM runner_lease WHERE id = 1").get() as
        { token: string } | undefined;
      const row = database.prepare(nextQueued).get() as { id: number } | undefined;
      if (lease?.token !== runner || !row || isPaused(database)) return null;
      database
        .prepare(
          `UPDATE jobs SET state = 'running', runner = ?, attempts = attempts + 1,
             started_at = ? WHERE id = ?`,
        )
        .run(runner, now, row.id);
      insertChange(database, row.id, "running", "", now);
      return row.id;
    })
    .immediate();
}

/** What people want of a running job. */
export interface Orders {
  /** False: another process took the job over. */
  mine: boolean;
  cancel: boolean;
  /** Stop sampling, decode what is there. */
  keep: boolean;
  /** Back into the queue after the current step. */
  pause: boolean;
}

/** What the runner polls. */
export function readOrders(database: HistoryDatabase, id: number, runner: string): Orders {
  const row = database.prepare("SELECT runner, cancel_requested, keep_requested FROM jobs WHERE id = ?").get(id) as
    { runner: string | null; cancel_requested: number; keep_requested: number } | undefined;
  return {
    mine: row?.runner === runner,
    cancel: row?.cancel_requested === 1,
    keep: row?.keep_requested === 1,
    pause: isPaused(database),
  };
}

/** The video shows the estimate after this step: sampling was stopped there. */
export function writeKeptStep(database: HistoryDatabase, id: number, step: number): void {
  database.prepare("UPDATE jobs SET kept_step = ? WHERE id = ?").run(step, id);
}

export function writeResume(database: HistoryDatabase, id: number, fromStep: number): void {
  database.prepare("UPDATE jobs SET resumed_from_step = ? WHERE id = ?").run(fromStep, id);
}

/** Later attempts keep to it, also those of another process. */
export function writeLowered(database: HistoryDatabase, id: number, lowered: LoweredPlan): void {
  database.prepare("UPDATE jobs SET lowered_plan = ? WHERE id = ?").run(JSON.stringify(lowered), id);
}

export function writeProgress(database: HistoryDatabase, id: number, progress: JobProgress): void {
  database.prepare("UPDATE jobs SET progress = ? WHERE id = ?").run(JSON.stringify(progress), id);
}

/** A finished step; the job made headway, so its count of fruitless interruptions starts again. */
export function writeStepLatents(database: HistoryDatabase, id: number, latents: JobStepLatents): void {
  database.transaction(() => {
    database
      .prepare(
        `INSERT INTO job_step_latents (job_id, step, path, bytes, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (job_id, step) DO UPDATE SET path = excluded.path, bytes = excluded.bytes,
           created_at = excluded.created_at`,
      )
      .run(id, latents.step, latents.path, latents.bytes, latents.createdAt);
    database.prepare("UPDATE jobs SET interruptions = 0 WHERE id = ?").run(id);
  })();
}

/** The final latents are on the disk. */
export function writeLatentsPath(database: HistoryDatabase, id: number, path: string): void {
  database.prepare("UPDATE jobs SET latents_path = ?, interruptions = 0 WHERE id = ?").run(path, id);
}

/** Counts one more death of the engine under this job. */
export function writeCrash(database: HistoryDatabase, id: number): number {
  const row = database.prepare("UPDATE jobs SET crashes = crashes + 1 WHERE id = ? RETURNING crashes").get(id);
  return (row as { crashes: number }).crashes;
}

export function writeLog(database: HistoryDatabase, id: number, lines: readonly JobLogLine[]): void {
  const insert = database.prepare("INSERT INTO job_log_lines (job_id, at, level, line) VALUES (?, ?, ?, ?)");
  database.transaction(() => {
    for (const { at, level, line } of lines) insert.run(id, at, level, line);
  })();
}

/** Replaces the stages of one attempt. */
export function writeStages(
  database: HistoryDatabase,
  id: number,
  attempt: number,
  stages: readonly Omit<JobStageRecord, "attempt">[],
): void {
  const insert = database.prepare(
    `INSERT INTO job_stages (job_id, attempt, ordinal, stage, seconds, peak_bytes, device_bytes, planned_seconds,
       planned_bytes, planned_device_bytes)
     VALUES (@id, @attempt, @ordinal, @stage, @seconds, @peakBytes, @deviceBytes, @plannedSeconds, @plannedBytes,
       @plannedDeviceBytes)`,
  );
  database.transaction(() => {
    database.prepare("DELETE FROM job_stages WHERE job_id = ? AND attempt = ?").run(id, attempt);
    stages.forEach((stage, ordinal) => insert.run({ ...stage, id, attempt, ordinal }));
  })();
}

export interface RunFacts {
  warnings: readonly string[];
  int8: Int8Summary | null;
  plannedSeconds: number | null;
  plannedPeakBytes: number | null;
  deviceName: string | null;
}

export function writeFacts(database: HistoryDatabase, id: number, facts: RunFacts): void {
  database
    .prepare(
      `UPDATE jobs SET warnings = @warnings, int8 = @int8, planned_seconds = @plannedSeconds,
         planned_peak_bytes = @plannedPeakBytes, device_name = @deviceName WHERE id = @id`,
    )
    .run({
      ...facts,
      warnings: JSON.stringify(facts.warnings),
      int8: facts.int8 && JSON.stringify(facts.int8),
      id,
    });
}

/** Names of the layers that run in int8, in the model's order; the same list is kept once. */
export function writeInt8Names(database: HistoryDatabase, id: number, names: readonly string[]): void {
  const text = JSON.stringify(names);
  database.transaction(() => {
    database.prepare("INSERT INTO int8_layers (names) VALUES (?) ON CONFLICT (names) DO NOTHING").run(text);
    database
      .prepare("UPDATE jobs SET int8_layers_id = (SELECT id FROM int8_layers WHERE names = ?) WHERE id = ?")
      .run(text, id);
  })();
}

/** The name the video is about to get: where to look for it after an interruption. */
export function writePendingVideo(database: HistoryDatabase, id: number, path: string): void {
  database.prepare("UPDATE jobs SET pending_video_path = ? WHERE id = ?").run(path, id);
}

export function writeVideo(database: HistoryDatabase, id: number, video: JobVideo): void {
  database
    .prepare(
      `UPDATE jobs SET video_path = @path, poster_path = @posterPath, copy_path = @copyPath, video_bytes = @bytes,
         video_frames = @frames, video_width = @width, video_height = @height, pending_video_path = NULL
       WHERE id = @id`,
    )
    .run({ ...video, id });
}

/** Forgets latents whose files were deleted. */
export function forgetLatents(database: HistoryDatabase, id: number): void {
  database.transaction(() => {
    database.prepare("DELETE FROM job_step_latents WHERE job_id = ?").run(id);
    database.prepare("UPDATE jobs SET latents_path = NULL WHERE id = ?").run(id);
  })();
}
