// The runner's lease, and what becomes of the jobs of a holder that is gone.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HistoryDatabase, openDatabase } from "../../../app/history/database.ts";
import { isSameProcessAlive, ownIdentity } from "../../../app/history/process-identity.ts";
import { readDetail, readJob } from "../../../app/history/reads/jobs.ts";
import { insertJobs } from "../../../app/history/writes/jobs.ts";
import {
  allowedInterruptions,
  giveBackLease,
  keepLease,
  type Lease,
  leaseSilence,
  takeLease,
} from "../../../app/history/writes/lease.ts";
import { takeNextJob, writeStepLatents } from "../../../app/history/writes/runs.ts";
import { acceptedJob } from "./accepted-job.ts";

let folder = "";
let database: HistoryDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-lease-"));
  database = openDatabase(join(folder, "rushes.db"));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const own = ownIdentity();
const lease = (token: string, changes: Partial<Lease> = {}): Lease => ({ token, ...own, ...changes });
/** A process that has ended: its number may be anybody's. */
const gone = { processStart: "1" };

describe("the runner's lease", () => {
  test("is held by one at a time and given back", () => {
    expect(takeLease(database, lease("a")).taken).toBe(true);
    expect(takeLease(database, lease("a")).taken).toBe(true);
    expect(takeLease(database, lease("b")).taken).toBe(false);
    giveBackLease(database, "b");
    expect(takeLease(database, lease("b")).taken).toBe(false);
    giveBackLease(database, "a");
    expect(takeLease(database, lease("b")).taken).toBe(true);
    expect(keepLease(database, "b")).toBe(true);
    expect(keepLease(database, "a")).toBe(false);
  });

  test("of a living process is not taken over, however long it is silent", () => {
    takeLease(database, lease("a"), 0);
    expect(takeLease(database, lease("b"), 10 * leaseSilence).taken).toBe(false);
  });

  test("of an ended process is taken over at once, even when its number runs again", () => {
    takeLease(database, lease("a", gone));
    expect(takeLease(database, lease("b")).taken).toBe(true);
    expect(keepLease(database, "a")).toBe(false);
  });

  test("of another host is taken over when it has been silent", () => {
    takeLease(database, lease("a", { host: "elsewhere" }), 1000);
    expect(takeLease(database, lease("b"), 1000 + leaseSilence).taken).toBe(false);
    keepLease(database, "a", 2000);
    expect(takeLease(database, lease("b"), 1001 + leaseSilence).taken).toBe(false);
    expect(takeLease(database, lease("b"), 2001 + leaseSilence).taken).toBe(true);
  });

  test("of another host whose clock was ahead is taken over when it stayed the same as long", () => {
    const hour = 3_600_000;
    const takenAfter = (milliseconds: number) =>
      takeLease(database, lease("b"), milliseconds, 500 + milliseconds).taken;
    takeLease(database, lease("a", { host: "elsewhere" }), hour);
    expect([0, leaseSilence].map(takenAfter)).toEqual([false, false]);
    // The holder lives: its clock is wrong.
    keepLease(database, "a", hour + leaseSilence);
    expect([1, 1 + leaseSilence].map((more) => takenAfter(leaseSilence + more))).toEqual([false, false]);
    expect(takenAfter(2 + 2 * leaseSilence)).toBe(true);
  });

  test("whose start cannot be checked is taken over when it has been silent", () => {
    takeLease(database, lease("a", { processStart: "" }), 1000);
    expect(takeLease(database, lease("b"), 1000 + leaseSilence).taken).toBe(false);
    expect(takeLease(database, lease("b"), 1001 + leaseSilence).taken).toBe(true);
  });
});

describe("jobs of a gone holder", () => {
  test("go back into the queue, at their old place", () => {
    const [first = 0, second = 0] = insertJobs(database, [acceptedJob("one"), acceptedJob("two")]);
    takeLease(database, lease("a", gone));
    takeNextJob(database, "a");
    expect(takeLease(database, lease("b"))).toEqual({ taken: true, recovered: [first] });
    expect(readDetail(database, first)).toMatchObject({
      state: "queued",
      changes: [{}, { state: "running" }, { state: "queued", note: "the program that ran it ended" }],
    });
    expect([takeNextJob(database, "b"), takeNextJob(database, "b")]).toEqual([first, second]);
    expect(readJob(database, first)?.attempts).toBe(2);
  });

  test("that their own process left running, without a word of how they ended, go back too", () => {
    const [id = 0] = insertJobs(database, [acceptedJob("one")]);
    takeLease(database, lease("a"));
    takeNextJob(database, "a");
    giveBackLease(database, "a");
    expect(takeLease(database, lease("a"))).toEqual({ taken: true, recovered: [id] });
    expect(readJob(database, id)?.state).toBe("queued");
  });

  test("that end their program again and again are failed, unless each time a step was finished", () => {
    const interrupt = (token: string, step: number | null) => {
      takeLease(database, lease(token, gone));
      const id = takeNextJob(database, token) ?? 0;
      if (step !== null) writeStepLatents(database, id, { step, path: "/l", bytes: 1, createdAt: 0 });
    };
    const [id = 0] = insertJobs(database, [acceptedJob("one")]);
    for (let i = 0; i < 3 * allowedInterruptions; i++) interrupt(`steps ${i}`, i);
    for (let i = 0; i < allowedInterruptions; i++) {
      interrupt(`none ${i}`, null);
      expect(readJob(database, id)?.state).toBe("running");
    }
    takeLease(database, lease("last"));
    expect(readJob(database, id)).toMatchObject({ state: "failed", error: { code: "job.interrupted" } });
  });
});

describe("which process is which", () => {
  test("this one is alive, and a stranger with its number is not it", () => {
    expect(isSameProcessAlive(own)).toBe(true);
    expect(isSameProcessAlive({ ...own, processStart: "12" })).toBe(false);
    expect(isSameProcessAlive({ ...own, processStart: "" })).toBe("unknown");
  });

  test("one that ended is not alive", async () => {
    const child = spawn("sleep", ["30"]);
    const identity = { ...own, processId: child.pid ?? 0 };
    expect(isSameProcessAlive({ ...identity, processStart: "" })).toBe("unknown");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isSameProcessAlive(identity)).toBe(false);
  });
});
