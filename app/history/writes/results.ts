// Marking results and deleting them. Deleting only marks: the files stay where they are, so that no interruption can part a
// result from its video, and restoring is complete. Purging removes rows and remembers their files in one transaction;
// the files follow, after a crash too.
import { RushesError } from "../../../contract/errors.ts";
import type { HistoryDatabase } from "../database.ts";
import { unknownJob } from "../reads/jobs.ts";
import { releaseInput } from "./inputs.ts";

export const daysInTrash = 30;

/** Gives the ids whose mark changed. */
export function markFavourites(database: HistoryDatabase, ids: readonly number[], favourite: boolean): number[] {
  const mark = database.prepare("UPDATE jobs SET favourite = @favourite WHERE id = @id AND favourite <> @favourite");
  return changed(database, ids, (id) => mark.run({ id, favourite: Number(favourite) }).changes === 1);
}

/** Puts finished results into the trash and gives their ids; jobs that wait or run stay. Throws job.started where that
 * leaves nothing to delete. */
export function deleteResults(database: HistoryDatabase, ids: readonly number[], now = Date.now()): number[] {
  const mark = database.prepare(
    `UPDATE jobs SET deleted_at = @now WHERE id = @id AND deleted_at IS NULL
       AND state IN ('done', 'failed', 'cancelled')`,
  );
  const deleted = changed(database, ids, (id) => mark.run({ id, now }).changes === 1);
  if (deleted.length === 0) refuseIfNone(database, ids);
  return deleted;
}

export function restoreResults(database: HistoryDatabase, ids: readonly number[]): number[] {
  const mark = database.prepare("UPDATE jobs SET deleted_at = NULL WHERE id = ? AND deleted_at IS NOT NULL");
  return changed(database, ids, (id) => mark.run(id).changes === 1);
}

/** A file of a purged result that is still on the disk. */
export interface Discard {
  path: string;
  /** Something the user may want back from the system's trash. */
  keepsake: boolean;
}

/** Removes deleted results from the history for good and remembers which of their files nobody needs any more; results that
 * are not in the trash stay. Gives the ids that went. */
export function purgeResults(database: HistoryDatabase, ids: readonly number[]): number[] {
  const read = database.prepare(
    `SELECT video_path AS video, poster_path AS poster, latents_path AS latents, input_image AS input
     FROM jobs
     WHERE id = ? AND deleted_at IS NOT NULL AND state IN ('done', 'failed', 'cancelled')`,
  );
  const steps = database.prepare("SELECT path FROM job_step_latents WHERE job_id = ?").pluck();
  const remove = database.prepare("DELETE FROM jobs WHERE id = ?");
  const others = database.prepare("SELECT 1 FROM jobs WHERE latents_path = ? LIMIT 1").pluck();
  const remember = database.prepare("INSERT OR IGNORE INTO discards (path, keepsake) VALUES (?, ?)");
  return changed(database, ids, (id) => {
    const row = read.get(id) as Record<"video" | "poster" | "latents" | "input", string | null> | undefined;
    if (!row) return false;
    const stepPaths = steps.all(id) as string[];
    remove.run(id);
    for (const path of [row.video, row.poster]) if (path) remember.run(path, 1);
    for (const path of row.latents === null ? stepPaths : [...stepPaths, row.latents])
      if (others.get(path) === undefined) remember.run(path, 0);
    releaseInput(database, row.input);
    return true;
  });
}

/** What lies in the trash for longer than it is kept there. */
export function overdueResults(database: HistoryDatabase, now = Date.now()): number[] {
  const limit = now - daysInTrash * 24 * 60 * 60 * 1000;
  return database.prepare(overdueSql).pluck().all(limit) as number[];
}

export const overdueSql = "SELECT id FROM jobs WHERE deleted_at IS NOT NULL AND deleted_at < ?";

export function readDiscards(database: HistoryDatabase): Discard[] {
  const rows = database.prepare("SELECT path, keepsake FROM discards ORDER BY path").all();
  return (rows as { path: string; keepsake: number }[]).map(({ path, keepsake }) => ({
    path,
    keepsake: keepsake === 1,
  }));
}

/** False where it is no longer to go. */
export function forgetDiscard(database: HistoryDatabase, path: string): boolean {
  return database.prepare("DELETE FROM discards WHERE path = ?").run(path).changes === 1;
}

/** Changes all in one transaction and gives the ids for which `change` did something. */
function changed(database: HistoryDatabase, ids: readonly number[], change: (id: number) => boolean): number[] {
  return database.transaction(() => [...new Set(ids)].filter(change)).immediate();
}

function refuseIfNone(database: HistoryDatabase, ids: readonly number[]): void {
  const read = database.prepare("SELECT state, deleted_at FROM jobs WHERE id = ?");
  for (const id of ids) {
    const row = read.get(id) as { state: string; deleted_at: number | null } | undefined;
    if (!row) throw unknownJob(id);
    if (row.deleted_at === null)
      throw new RushesError("job.started", {
        sentence: `Job ${id} is ${row.state === "running" ? "running" : "in the queue"}, so it cannot be deleted.`,
        advice: "Cancel it first.",
      });
  }
}
