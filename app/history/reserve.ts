// Room on the disk that is kept for the history alone: when the disk fills up under a job, what happened can still be
// written down.
import { rmSync, statSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import type { HistoryDatabase } from "./database.ts";

/** A few dozen pages of the database and its log. */
const reservedBytes = 256 << 10;

/** Sees to it that the room is set aside, if the disk has it. */
export function keepReserve(database: HistoryDatabase): void {
  const path = reservePath(database);
  if (statSync(path, { throwIfNoEntry: false })?.size === reservedBytes) return;
  try {
    writeFileSync(path, Buffer.alloc(reservedBytes));
  } catch {
    giveUpReserve(database);
  }
}

export function giveUpReserve(database: HistoryDatabase): void {
  rmSync(reservePath(database), { force: true });
}

/** Writes, and where the disk is full writes again with the room set aside. */
export function writeWithReserve<T>(database: HistoryDatabase, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || error.code !== "SQLITE_FULL") throw error;
    giveUpReserve(database);
    return write();
  }
}

function reservePath(database: HistoryDatabase): string {
  return `${database.name}-reserve`;
}
