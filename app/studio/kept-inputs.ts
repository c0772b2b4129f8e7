// Input pictures in the library: a job is accepted with a copy of its picture, named by what it holds, so that an upload that
// expires or a file that moves takes nothing from it. When a copy goes is decided in app/history.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { HistoryDatabase } from "../history/database.ts";
import type { AcceptedJob } from "../history/writes/jobs.ts";
import { keepInput } from "../history/writes/inputs.ts";
import { readPictureFile } from "../media/input-picture.ts";
import { replaceFile } from "../media/whole-file.ts";

/** Copies a picture into the folder, unless it is there, and gives the copy's path. Throws file.unreadable, file.unwritable
 * or disk.full. */
export async function keepPicture(path: string, folder: string): Promise<string> {
  const { bytes, ending } = await readPictureFile(path);
  const kept = join(folder, `${createHash("sha256").update(bytes).digest("hex")}.${ending}`);
  const size = await stat(kept).then(
    (found) => found.size,
    () => null,
  );
  if (size !== bytes.length) await replaceFile(kept, bytes);
  return kept;
}

/** Commits jobs whose pictures lie in the library then; `write` gets them with the paths of the copies. A purge that takes
 * a copy at the same moment is noticed, and the copy made again. */
export async function commitWithInputs<Job extends Pick<AcceptedJob, "settings">, T>(
  jobs: readonly Job[],
  folder: string,
  commit: <R>(write: (database: HistoryDatabase) => R) => R,
  write: (database: HistoryDatabase, jobs: Job[]) => T,
): Promise<T> {
  for (;;) {
    const copies = new Map<string, string>();
    for (const { image } of jobs.map(({ settings }) => settings))
      if (image !== null && !copies.has(image)) copies.set(image, await keepPicture(image, folder));
    const kept = jobs.map((job): Job => {
      const copy = job.settings.image === null ? undefined : copies.get(job.settings.image);
      return copy === undefined ? job : { ...job, settings: { ...job.settings, image: copy } };
    });
    const committed = commit((database) =>
      database
        .transaction((): { value: T } | null => {
          if (![...copies.values()].every((path) => existsSync(path))) return null;
          for (const path of copies.values()) keepInput(database, path);
          return { value: write(database, kept) };
        })
        .immediate(),
    );
    if (committed) return committed.value;
  }
}
