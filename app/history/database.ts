// Opens a library's rushes.db: connection settings and migrations. Queries live in reads/ and writes/.
import Database from "better-sqlite3";
import { RushesError } from "../../contract/errors.ts";
import { migrations } from "./migrations/all.ts";
import type { Migration } from "./migrations/migration.ts";
import { defineStackKey } from "./stack-key.ts";

export type HistoryDatabase = Database.Database;

/** How long a statement waits for another process's write, milliseconds. */
const busyTimeout = 10_000;

/** Opens (or makes) the database and brings it to the newest form. Throws history.newer when a later version of the
 * program made it, history.unreadable when it is not a sound database. */
export function openDatabase(path: string, steps: readonly Migration[] = migrations): HistoryDatabase {
  let database: HistoryDatabase | undefined;
  try {
    database = new Database(path, { timeout: busyTimeout });
    database.pragma("journal_mode = WAL");
    // FULL: a job is committed, on the disk, before its acceptance is reported.
    database.pragma("synchronous = FULL");
    database.pragma("foreign_keys = ON");
    defineStackKey(database);
    migrate(database, path, steps);
    return database;
  } catch (error) {
    database?.close();
    throw databaseError(error, path);
  }
}

export function databaseVersion(database: HistoryDatabase): number {
  return database.pragma("user_version", { simple: true }) as number;
}

function migrate(database: HistoryDatabase, path: string, steps: readonly Migration[]): void {
  const newest = steps.at(-1)?.number ?? 0;
  if (databaseVersion(database) === newest) return;
  // Immediate: of two processes that open an old library at once, the second finds the work done.
  database
    .transaction(() => {
      const version = databaseVersion(database);
      if (version > newest)
        throw new RushesError("history.newer", {
          detail: `${path}: version ${version}, newest known ${newest}`,
        });
      for (const step of steps) {
        if (step.number <= version) continue;
        database.exec(step.sql);
        database.pragma(`user_version = ${step.number}`);
      }
    })
    .immediate();
}

/** SQLite's errors that a user can do something about as RushesErrors; others as they are. */
export function databaseError(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const detail = `${path}: ${error.code}: ${error.message}`;
  if (error.code.startsWith("SQLITE_CORRUPT") || error.code === "SQLITE_NOTADB")
    return new RushesError("history.unreadable", {
      sentence: "The library's history file is damaged.",
      advice: "Restore rushes.db from a backup, or move it away to start a fresh history; the videos are not touched.",
      detail,
    });
  if (error.code.startsWith("SQLITE_FULL"))
    return new RushesError("disk.full", { sentence: "The disk that holds the library is full.", detail });
  if (error.code.startsWith("SQLITE_BUSY")) return new RushesError("history.busy", { detail });
  if (error.code.startsWith("SQLITE_CANTOPEN") || error.code.startsWith("SQLITE_READONLY"))
    return new RushesError("file.unwritable", {
      sentence: `The history at ${path} cannot be written.`,
      advice: "Choose a library folder you may write to.",
      detail,
    });
  return error;
}
