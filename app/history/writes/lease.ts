// The lease of the process that runs a library's queue: taken, kept alive, given back, taken over when its holder is
// gone. Putting the jobs of a gone holder back into the queue happens in the same transaction.
import type { HistoryDatabase } from "../database.ts";
import { isSameProcessAlive, type ProcessIdentity } from "../process-identity.ts";
import { moveJob } from "./jobs.ts";

/** A holder on another host, or one whose start cannot be checked, is gone after this silence (milliseconds): by the time of
 * its heartbeat, or because that did not change. */
export const leaseSilence = 15_000;
/** A job that was interrupted this often without finishing a step is failed: it would stop every start of the queue. */
export const allowedInterruptions = 9;

export interface Lease extends ProcessIdentity {
  token: string;
}

interface LeaseRow {
  token: string;
  process_id: number;
  process_start: string;
  host: string;
  heartbeat_at: number;
}

export interface TakenLease {
  taken: boolean;
  /** Jobs that the gone holder left running, now queued (or failed, interrupted too often). */
  recovered: number[];
}

/** True while a living process other than the asking one holds the lease. `monotonic` counts milliseconds in this process,
 * whatever happens to the clock. */
export function isHeldElsewhere(
  database: HistoryDatabase,
  own: Lease,
  now = Date.now(),
  monotonic = performance.now(),
): boolean {
  const row = database.prepare("SELECT * FROM runner_lease WHERE id = 1").get() as LeaseRow | undefined;
  if (row === undefined || row.token === own.token) return false;
  const silent = Math.max(now - row.heartbeat_at, unchangedFor(database, row, monotonic)) > leaseSilence;
  return isHeld(row, own, silent);
}

/** Takes the lease if nobody alive holds it; for a process that runs no job just now. */
export function takeLease(
  database: HistoryDatabase,
  lease: Lease,
  now = Date.now(),
  monotonic = performance.now(),
): TakenLease {
  // Asked many times a second while another process runs the queue: looking needs no lock.
  if (isHeldElsewhere(database, lease, now, monotonic)) return { taken: false, recovered: [] };
  return database
    .transaction((): TakenLease => {
      if (isHeldElsewhere(database, lease, now, monotonic)) return { taken: false, recovered: [] };
      database
        .prepare(
          `INSERT INTO runner_lease (id, token, process_id, process_start, host, taken_at, heartbeat_at)
           VALUES (1, @token, @processId, @processStart, @host, @now, @now)
           ON CONFLICT (id) DO UPDATE SET token = @token, process_id = @processId, process_start = @processStart,
             host = @host, taken_at = @now, heartbeat_at = @now`,
        )
        .run({ ...lease, now });
      return { taken: true, recovered: recoverJobs(database, now) };
    })
    .immediate();
}

/** Says that the holder lives; false when another process took the lease. */
export function keepLease(database: HistoryDatabase, token: string, now = Date.now()): boolean {
  return database.prepare("UPDATE runner_lease SET heartbeat_at = ? WHERE token = ?").run(now, token).changes === 1;
}

export function giveBackLease(database: HistoryDatabase, token: string): void {
  database.prepare("DELETE FROM runner_lease WHERE token = ?").run(token);
}

function isHeld(row: LeaseRow, own: ProcessIdentity, silent: boolean): boolean {
  const holder = { processId: row.process_id, processStart: row.process_start, host: row.host };
  if (holder.host !== own.host) return !silent;
  const alive = isSameProcessAlive(holder);
  return alive === "unknown" ? !silent : alive;
}

/** The heartbeat that this process saw last in each library, and since when on its monotonic clock. */
const lastSeen = new WeakMap<HistoryDatabase, { token: string; heartbeatAt: number; since: number }>();

/** How long this process has seen the same heartbeat, milliseconds. Where the clock was set back, the time of the heartbeat
 * alone would not say for hours that its holder is gone. */
function unchangedFor(database: HistoryDatabase, row: LeaseRow, monotonic: number): number {
  const seen = lastSeen.get(database);
  if (seen?.token === row.token && seen.heartbeatAt === row.heartbeat_at) return monotonic - seen.since;
  lastSeen.set(database, { token: row.token, heartbeatAt: row.heartbeat_at, since: monotonic });
  return 0;
}

/** Whoever takes the lease runs nothing yet: what is marked as running was left so, also by this process when it could
 * not write down how a run ended. */
function recoverJobs(database: HistoryDatabase, now: number): number[] {
  const rows = database.prepare("SELECT id, interruptions FROM jobs WHERE state = 'running'").all() as {
    id: number;
    interruptions: number;
  }[];
  for (const { id, interruptions } of rows) {
    if (interruptions >= allowedInterruptions) {
      moveJob(database, id, {
        to: "failed",
        note: "interrupted too often",
        now,
        error: {
          code: "job.interrupted",
          sentence: `The program ended ${interruptions + 1} times in a row while this job ran.`,
          advice: "Generate it again with a smaller size or fewer frames; memory may be short.",
          detail: "",
        },
      });
    } else {
      moveJob(database, id, { to: "queued", note: "the program that ran it ended", now });
      database.prepare("UPDATE jobs SET interruptions = interruptions + 1 WHERE id = ?").run(id);
    }
  }
  return rows.map(({ id }) => id);
}
