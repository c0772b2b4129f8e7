// Which input pictures of the library are in use. Their files come and go elsewhere: a copy is kept before its job is
// committed (app/studio/kept-inputs.ts) and removed with the other files of purged results (discard-files.ts).
import type { HistoryDatabase } from "../database.ts";

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
