// Removes the files of purged results. Which ones is written down in the history (results.ts), so that what an interruption
// left over goes the next time.
import { existsSync, rmSync } from "node:fs";
import { asRushesError, RushesError } from "../../../contract/errors.ts";
import type { HistoryDatabase } from "../database.ts";
import { isInLibrary } from "../library-paths.ts";
import { forgetDiscard, overdueResults, purgeResults, readDiscards } from "./results.ts";

/** How a door removes a file somebody may want back: into the system's trash, or for good. */
export type DiscardFile = (path: string) => Promise<void>;

/** Removes every remembered file of the library's; one that lies elsewhere belongs to another library, and is forgotten.
 * Throws file.unwritable when some could not be removed, after all others were; they are
 * tried again the next time. */
export async function discardFiles(database: HistoryDatabase, discard: DiscardFile): Promise<void> {
  const left: string[] = [];
  let reason = "";
  for (const { path, keepsake } of readDiscards(database)) {
    if (!isInLibrary(database, path)) {
      forgetDiscard(database, path);
      continue;
    }
    try {
      if (keepsake && existsSync(path)) await discard(path);
      removeForgotten(database, path);
    } catch (error) {
      // Two purges at once: the other one was quicker.
      if (!existsSync(path)) {
        forgetDiscard(database, path);
        continue;
      }
      left.push(path);
      reason ||= asRushesError(error).message;
    }
  }
  if (left.length === 0) return;
  throw new RushesError("file.unwritable", {
    sentence: left.length === 1 ? `${left[0]} could not be removed.` : `${left.length} files could not be removed.`,
    advice: "The result is gone from the history; Rushes tries to remove its files again when it starts.",
    detail: [reason, ...left].join("\n"),
  });
}

/** In one transaction, and only what is still to go: a new job may want the same input picture at this moment. */
function removeForgotten(database: HistoryDatabase, path: string): void {
  database
    .transaction(() => {
      if (forgetDiscard(database, path)) rmSync(path, { force: true });
    })
    .immediate();
}

/** Empties the trash of what lies in it for too long and finishes what an interruption left over; gives the ids that went. */
export async function purgeOverdue(
  database: HistoryDatabase,
  discard: DiscardFile,
  now = Date.now(),
): Promise<number[]> {
  const purged = purgeResults(database, overdueResults(database, now));
  await discardFiles(database, discard);
  return purged;
}
