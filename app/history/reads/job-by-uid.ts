// Finding a job by the name it has in its video's metadata.
import type { HistoryDatabase } from "../database.ts";

/** The job's id, or null when this library did not make it (or no longer knows of it). */
export function readJobIdByUid(database: HistoryDatabase, uid: string): number | null {
  const row = database.prepare("SELECT id FROM jobs WHERE uid = ?").get(uid) as { id: number } | undefined;
  return row?.id ?? null;
}
