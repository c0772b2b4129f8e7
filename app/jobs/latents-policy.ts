// Which latents are deleted: those of old jobs whose video is saved, unless another job still needs the file.
import { rm } from "node:fs/promises";
import type { Job } from "../../contract/job.ts";
import type { HistoryDatabase } from "../history/database.ts";
import { isInLibrary } from "../history/library-paths.ts";
import { readStepLatents } from "../history/reads/jobs.ts";
import { jobsWithLatents } from "../history/reads/latents.ts";
import { forgetLatents } from "../history/writes/runs.ts";

export const latentsKeptDays = 30;

export type LatentsOwner = Pick<Job, "id" | "state" | "finishedAt" | "latentsPath"> & { hasVideo: boolean };

/** The jobs whose latents may go. A file that two jobs name goes when both may let it go. */
export function latentsToDelete(owners: readonly LatentsOwner[], now: number, keptDays = latentsKeptDays): number[] {
  const limit = now - keptDays * 24 * 60 * 60 * 1000;
  const mayGo = (owner: LatentsOwner) =>
    owner.state === "done" && owner.hasVideo && owner.finishedAt !== null && owner.finishedAt < limit;
  const needed = new Set(owners.filter((owner) => !mayGo(owner)).map(({ latentsPath }) => latentsPath));
  return owners.filter((owner) => mayGo(owner) && !needed.has(owner.latentsPath)).map(({ id }) => id);
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
