// Answers the history's channels from the studio's history.
import type { HistoryChannels } from "../../contract/channels/history.ts";
import { readCards, readFacets, readResult } from "../history/reads/cards.ts";
import { findResults } from "../history/reads/find.ts";
import { unknownJob } from "../history/reads/jobs.ts";
import { discardFiles, purgeOverdue } from "../history/writes/discard-files.ts";
import { deleteResults, markFavourites, purgeResults, restoreResults } from "../history/writes/results.ts";
import type { StudioCore } from "../studio/studio.ts";
import type { Door } from "./door.ts";
import type { HandlersOf } from "./handlers.ts";

export function historyChannels(studio: StudioCore): HandlersOf<HistoryChannels> {
  return {
    "history:find": ({ filter }) => ({ ids: findResults(studio.database, filter) }),
    "history:cards": ({ ids }) => ({ cards: readCards(studio.database, ids) }),
    "history:detail": ({ jobId }) => {
      const detail = readResult(studio.database, jobId);
      if (!detail) throw unknownJob(jobId);
      return { detail };
    },
    "history:facets": () => readFacets(studio.database),
    "history:favourite": ({ jobIds, favourite }) => {
      studio.commit((database) => markFavourites(database, jobIds, favourite));
      return {};
    },
    "history:delete": ({ jobIds }) => ({ jobIds: studio.commit((database) => deleteResults(database, jobIds)) }),
    "history:restore": ({ jobIds }) => {
      studio.commit((database) => restoreResults(database, jobIds));
      return {};
    },
    "history:purge": async ({ jobIds }, door) => {
      studio.commit((database) => purgeResults(database, jobIds));
      await discardFiles(studio.database, (path) => door.discardFile(path));
      return {};
    },
  };
}

/** How often the trash is looked at, milliseconds. */
const trashPeriod = 6 * 60 * 60 * 1000;

/** Empties the trash of what lies in it for too long, at once and from time to time, and finishes purges that were
 * interrupted; for the program that opened the studio. The function that is given back ends it. */
export function keepTrash(studio: StudioCore, door: Pick<Door, "discardFile">): () => void {
  const look = async () => {
    try {
      const purged = await purgeOverdue(studio.database, (path) => door.discardFile(path));
      if (purged.length === 0) return;
      studio.log.write(`the trash: ${purged.length} results were removed for good`);
      studio.noticed();
    } catch (error) {
      studio.log.write(`the trash could not be emptied: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  void look();
  const timer = setInterval(() => void look(), trashPeriod).unref();
  return () => clearInterval(timer);
}
