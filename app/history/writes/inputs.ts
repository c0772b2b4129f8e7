// Which input pictures of the library are in use. Their files come and go elsewhere: a copy is kept before its job is
// committed (app/studio/kept-inputs.ts) and removed with the other files of purged results (discard-files.ts).
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { HistoryDatabase } from "../database.ts";

/** Younger files may belong to a job that is being accepted, milliseconds. */
const strayAge = 3_600_000;

/** The library's copy of a picture is wanted (again), whatever was to become of it. */
export function keepInput(database: HistoryDatabase, path: string): void {
  database.prepare("INSERT OR IGNORE INTO kept_inputs (path) VALUES (?)").run(path);
  database.prepare("DELETE FROM discards WHERE path = ?").run(path);
}

/** A job no longer names this picture: its copy goes with the next discarded files unless another job does. Pictures
 * outside the library are nobody's to remove. */
export function releaseInput(database: HistoryDatabase, path: string | null): void {
  if (path === null) return;
  if (database.prepare("SELECT 1 FROM jobs WHERE input_image = ? LIMIT 1").get(path) !== undefined) return;
  if (database.prepare("DELETE FROM kept_inputs WHERE path = ?").run(path).changes === 0) return;
  database.prepare("INSERT OR IGNORE INTO discards (path, keepsake) VALUES (?, 0)").run(path);
}

/** Removes copies that no job came to name, whole or begun: the program ended, or the history refused, between copying and
 * committing. Nothing is committed meanwhile. A folder that is gone has none. */
export function removeStrayInputs(database: HistoryDatabase, folder: string, now = Date.now()): void {
  if (!existsSync(folder)) return;
  const kept = database.prepare("SELECT 1 FROM kept_inputs WHERE path = ?");
  const named = database.prepare("SELECT 1 FROM jobs WHERE input_image = ? LIMIT 1");
  const paths = readdirSync(folder).map((name) => join(folder, name));
  const old = paths.filter((path) => now - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now) > strayAge);
  if (old.length === 0) return;
  database
    .transaction(() => {
      for (const path of old) if (!kept.get(path) && !named.get(path)) rmSync(path, { force: true });
    })
    .immediate();
}
