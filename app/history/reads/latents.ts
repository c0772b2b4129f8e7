// Which jobs have latents on the disk: final ones, or those of single steps.
import type { JobState } from "../../../contract/job.ts";
import type { HistoryDatabase } from "../database.ts";

export interface LatentsRow {
  id: number;
  state: JobState;
  finishedAt: number | null;
  latentsPath: string | null;
  hasVideo: boolean;
}

export function jobsWithLatents(database: HistoryDatabase): LatentsRow[] {
  const rows = database
    .prepare(
      `SELECT id, state, finished_at AS finishedAt, latents_path AS latentsPath, video_path IS NOT NULL AS hasVideo
       FROM jobs WHERE latents_path IS NOT NULL OR id IN (SELECT job_id FROM job_step_latents) ORDER BY id`,
    )
    .all() as (Omit<LatentsRow, "hasVideo"> & { hasVideo: number })[];
  return rows.map((row) => ({ ...row, hasVideo: row.hasVideo === 1 }));
}
