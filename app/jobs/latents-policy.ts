// Which latents are deleted: those of old jobs whose video is saved and of those that ended without one, unless another job
// still needs the file. Asked for again after that, a job begins anew.
import { rm } from "node:fs/promises";
import type { Job } from "../../contract/job.ts";
import type { HistoryDatabase } from "../history/database.ts";
import { isInLibrary } from "../history/library-paths.ts";
import { readStepLatents } from "../history/reads/jobs.ts";
import { jobsWithLatents } from "../history/reads/latents.ts";
import { forgetLatents } from "../history/writes/runs.ts";

export const latentsKeptDays = 30;
/** What failed is worth another attempt for longer: a new version, or more memory, may make its video. */
export const failedLatentsKeptDays = 90;

export type LatentsOwner = Pick<Job, "id" | "state" | "finishedAt" | "latentsPath"> & { hasVideo: boolean };

/** The jobs whose latents may go. A file that two jobs name goes when both may let it go. */
export function latentsToDelete(owners: readonly LatentsOwner[], now: number): number[] {
  const mayGo = (owner: LatentsOwner) => {
    const days = keptDays(owner);
    return days !== null && owner.finishedAt !== null && owner.finishedAt < now - days * 24 * 60 * 60 * 1000;
  };
  const needed = new Set(owners.filter((owner) => !mayGo(owner)).map(({ latentsPath }) => latentsPath));
  // Jobs that got no further than some steps have no file that another could need.
  needed.delete(null);
  return owners.filter((owner) => mayGo(owner) && !needed.has(owner.latentsPath)).map(({ id }) => id);
}

/** How long after its end a job's latents are kept; null: as long as it has not ended, or lost its video. */
function keptDays({ state, hasVideo }: LatentsOwner): number | null {
  if (state === "failed") return failedLatentsKeptDays;
  return state === "cancelled" || (state === "done" && hasVideo) ? latentsKeptDays : null;
}

/** Deletes them, and forgets those of another library; for the process that runs the queue. */
export async function deleteOldLatents(database: HistoryDatabase, now = Date.now()): Promise<void> {
  const owners = jobsWithLatents(database);
  for (const id of latentsToDelete(owners, now)) {
    const paths = readStepLatents(database, id).map(({ path }) => path);
    const final = owners.find((owner) => owner.id === id)?.latentsPath;
    for (const path of final ? [...paths, final] : paths)
      if (isInLibrary(database, path)) await rm(path, { force: true });
    forgetLatents(database, id);
  }
}
