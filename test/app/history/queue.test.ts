// The order of the waiting jobs, edits, pausing, and what other processes notice of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databaseVersion, type HistoryDatabase, openDatabase } from "../../../app/history/database.ts";
import { migrations } from "../../../app/history/migrations/all.ts";
import { ownIdentity } from "../../../app/history/process-identity.ts";
import { readInt8Names } from "../../../app/history/reads/int8-names.ts";
import { readDetail, readJob, readTokenIds, searchJobs } from "../../../app/history/reads/jobs.ts";
import { isPaused, newestRows, readNews, readQueue, waitingStatement } from "../../../app/history/reads/queue.ts";
import { insertJobs, moveJob, queueAgain } from "../../../app/history/writes/jobs.ts";
import { takeLease } from "../../../app/history/writes/lease.ts";
import {
  editInQueue,
  moveInQueue,
  moveToFront,
  removeFromQueue,
  requestKeep,
  writePaused,
} from "../../../app/history/writes/queue.ts";
import {
  readOrders,
  takeNextJob,
  writeInt8Names,
  writeLatentsPath,
  writePendingVideo,
  writeStepLatents,
  writeVideo,
} from "../../../app/history/writes/runs.ts";
import { randomNumbers } from "../../random-numbers.ts";
import { acceptedJob } from "./accepted-job.ts";

let folder = "";
let database: HistoryDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-queue-"));
  database = openDatabase(join(folder, "rushes.db"));
  // These tests are about order, not about power cuts.
  database.pragma("synchronous = OFF");
  takeLease(database, { token: "runner", ...ownIdentity() });
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const insert = (count: number, place?: "end" | "next") =>
  insertJobs(
    database,
    Array.from({ length: count }, (_, index) => acceptedJob(`prompt ${index}`)),
    Date.now(),
    place,
  );
const order = () => readQueue(database).waiting.map(({ id }) => id);
const started = expect.objectContaining({ code: "job.started" }) as Error;
const unknown = expect.objectContaining({ code: "job.unknown" }) as Error;

describe("the order", () => {
  test("is that of acceptance; a job accepted as next stands before all, several in their order", () => {
    expect(insert(3)).toEqual(order());
    expect(insert(2, "next")).toEqual([4, 5]);
    expect(order()).toEqual([4, 5, 1, 2, 3]);
  });

  test("changes by moving before another job, to the end, and to the front", () => {
    insert(4);
    moveInQueue(database, 4, 2);
    expect(order()).toEqual([1, 4, 2, 3]);
    moveInQueue(database, 1, null);
    expect(order()).toEqual([4, 2, 3, 1]);
    moveToFront(database, 3);
    expect(order()).toEqual([3, 4, 2, 1]);
    moveInQueue(database, 3, 3);
    expect(order()).toEqual([3, 4, 2, 1]);
    moveInQueue(database, 4, 2);
    expect(order()).toEqual([3, 4, 2, 1]);
  });

  test("has room between two neighbours however often something is put there", () => {
    insert(3);
    for (let round = 0; round < 200; round++) {
      const [first, second, third] = order() as [number, number, number];
      moveInQueue(database, third, second);
      expect(order()).toEqual([first, third, second]);
    }
  });

  test("a move before a job that has begun meanwhile makes the job the first", () => {
    insert(3);
    const running = takeNextJob(database, "runner") ?? 0;
    moveInQueue(database, 3, running);
    expect(order()).toEqual([3, 2]);
  });

  test("refuses jobs that have begun, have ended or never were", () => {
    insert(2);
    const running = takeNextJob(database, "runner") ?? 0;
    expect(() => moveInQueue(database, running, 2)).toThrow(started);
    expect(() => moveToFront(database, running)).toThrow(started);
    expect(() => moveInQueue(database, 99, 2)).toThrow(unknown);
    expect(() => moveInQueue(database, 2, 99)).toThrow(unknown);
    moveJob(database, running, { to: "done", note: "" });
    expect(() => moveToFront(database, running)).toThrow(started);
  });

  test("puts an interrupted job before everything, also what was put first while it ran", () => {
    insert(3);
    const running = takeNextJob(database, "runner") ?? 0;
    moveToFront(database, 3);
    insert(1, "next");
    moveJob(database, running, { to: "queued", note: "the queue was paused" });
    expect(order()).toEqual([1, 4, 3, 2]);
  });

  test("removing takes all of the jobs or, when one has begun, none", () => {
    insert(4);
    takeNextJob(database, "runner");
    expect(() => removeFromQueue(database, [2, 1])).toThrow(started);
    expect(() => removeFromQueue(database, [2, 99])).toThrow(unknown);
    expect(order()).toEqual([2, 3, 4]);
    removeFromQueue(database, [2, 4, 4]);
    expect(order()).toEqual([3]);
    expect(readDetail(database, 2)).toMatchObject({
      state: "cancelled",
      changes: [{}, { state: "cancelled", note: "taken out of the queue" }],
    });
    queueAgain(database, 2);
    expect(order()).toEqual([3, 2]);
  });

  test("asking again changes no job that waits, and is refused for one that runs or is done", () => {
    insert(4);
    takeNextJob(database, "runner");
    moveJob(database, 1, { to: "done", note: "" });
    takeNextJob(database, "runner");
    const all = () => database.prepare("SELECT * FROM jobs ORDER BY id").all();
    const changes = { onCpu: true, withoutBudget: true };
    const before = all();
    expect(queueAgain(database, 3, changes)).toBe(false);
    for (const id of [1, 2]) expect(() => queueAgain(database, id, changes)).toThrow(started);
    expect(() => queueAgain(database, 99)).toThrow(unknown);
    expect(all()).toEqual(before);
    expect(readDetail(database, 2)?.changes.map(({ state }) => state)).toEqual(["queued", "running"]);
  });

  test.each([1, 2, 3, 4, 5])("follows a plain list through any changes (seed %i)", (seed) => {
    const random = randomNumbers(seed);
    const pick = (list: readonly number[]) => list[Math.floor(random() * list.length)];
    let model: number[] = insert(5);
    let running: number | null = null;
    const removed: number[] = [];
    for (let round = 0; round < 250; round++) {
      const id = pick(model);
      const action = Math.floor(random() * 9);
      if (action === 0 || model.length < 2) model.push(...insert(1 + Math.floor(random() * 2)));
      else if (action === 1) model.unshift(...insert(1, "next"));
      else if (action === 2 && running === null) {
        running = takeNextJob(database, "runner");
        expect(running).toBe(model.shift());
      } else if (action === 3 && running !== null) {
        const back = random() < 0.5;
        moveJob(database, running, { to: back ? "queued" : "done", note: "" });
        if (back) model.unshift(running);
        running = null;
      } else if (action === 4 && id !== undefined) {
        removeFromQueue(database, [id]);
        model = model.filter((each) => each !== id);
        removed.push(id);
      } else if (action === 5 && removed.length > 0) {
        const again = removed.pop() ?? 0;
        queueAgain(database, again);
        model.push(again);
      } else if (action === 6 && id !== undefined) {
        editInQueue(database, id, acceptedJob(`edited ${round}`));
        expect(readJob(database, id)?.prompt).toBe(`edited ${round}`);
      } else if (action === 7 && id !== undefined) {
        moveToFront(database, id);
        model = [id, ...model.filter((each) => each !== id)];
      } else if (id !== undefined) {
        const before = random() < 0.2 ? null : (pick(model) ?? null);
        moveInQueue(database, id, before);
        if (before === id) continue;
        model = model.filter((each) => each !== id);
        model.splice(before === null ? model.length : model.indexOf(before), 0, id);
      }
      expect(order()).toEqual(model);
    }
  });

  test("is read through an index, without sorting", () => {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${waitingStatement}`).all() as { detail: string }[];
    expect(plan.map(({ detail }) => detail).join()).toMatch(/jobs_in_queue/);
    expect(plan.map(({ detail }) => detail).join()).not.toMatch(/TEMP B-TREE/);
  });
});

describe("an edit", () => {
  test("replaces what will run, in place, and drops what an interrupted run had done", () => {
    insert(3);
    takeNextJob(database, "runner");
    writeStepLatents(database, 1, { step: 1, path: "/l/1", bytes: 1, createdAt: 0 });
    moveJob(database, 1, { to: "queued", note: "the queue was paused" });
    const before = readJob(database, 1)!;
    const edited = acceptedJob("a green cube", { ids: Int32Array.of(9, 1) });
    expect(editInQueue(database, 1, { ...edited, settings: { ...edited.settings, numFrames: 33 } })).toEqual(["/l/1"]);
    const job = readDetail(database, 1)!;
    expect(job).toMatchObject({ prompt: "a green cube", state: "queued", tokenCount: 2, steps: [], uid: before.uid });
    expect(job.settings.numFrames).toBe(33);
    expect(readTokenIds(database, 1)).toEqual(Int32Array.of(9, 1));
    expect(searchJobs(database, "green").map(({ id }) => id)).toEqual([1]);
    expect(database.prepare("SELECT num_frames AS frames FROM jobs WHERE id = 1").get()).toEqual({ frames: 33 });
    expect(order()).toEqual([1, 2, 3]);
  });

  test("takes nothing over of what an earlier attempt had saved, and nothing away from a job that decodes it", () => {
    insert(1);
    insertJobs(database, [acceptedJob("again", { kind: "decode", latentsPath: "/l/all", sourceJobId: 1 })]);
    takeNextJob(database, "runner");
    writeLatentsPath(database, 1, "/l/all");
    writePendingVideo(database, 1, "/v/old.mp4");
    const video = { path: "/v/old.mp4", posterPath: "/v/old.png", copyPath: null, bytes: 1, frames: 17 };
    writeVideo(database, 1, { ...video, width: 128, height: 128 });
    writePendingVideo(database, 1, "/v/old.mp4");
    moveJob(database, 1, { to: "queued", note: "the program that ran it ended" });
    expect(editInQueue(database, 1, acceptedJob("a green cube"))).toEqual([]);
    expect(readJob(database, 1)).toMatchObject({ pendingVideoPath: null, video: null, latentsPath: null });
  });

  test("is refused once the job was taken, and for jobs that only decode", () => {
    insert(1);
    insertJobs(database, [acceptedJob("again", { kind: "decode" })]);
    takeNextJob(database, "runner");
    expect(() => editInQueue(database, 1, acceptedJob("x"))).toThrow(started);
    expect(() => editInQueue(database, 2, acceptedJob("x"))).toThrow(started);
    expect(() => editInQueue(database, 99, acceptedJob("x"))).toThrow(unknown);
  });
});

describe("a paused queue", () => {
  test("gives no job, stays paused for the next program, and asks the running one to go back", () => {
    insert(2);
    takeNextJob(database, "runner");
    expect(writePaused(database, true)).toBe(true);
    expect(writePaused(database, true)).toBe(false);
    expect(readOrders(database, 1, "runner")).toEqual({ mine: true, cancel: false, keep: false, pause: true });
    expect(takeNextJob(database, "runner")).toBeNull();
    database.close();
    database = openDatabase(join(folder, "rushes.db"));
    expect(isPaused(database)).toBe(true);
    writePaused(database, false);
    expect(takeNextJob(database, "runner")).toBe(2);
  });
});

describe("keeping a running job as it is", () => {
  test("is asked of its runner; of no other", () => {
    insert(2);
    const running = takeNextJob(database, "runner") ?? 0;
    requestKeep(database, running);
    expect(readOrders(database, running, "runner").keep).toBe(true);
    const notRunning = expect.objectContaining({ code: "job.not_running" }) as Error;
    expect(() => requestKeep(database, 2)).toThrow(notRunning);
    expect(() => requestKeep(database, 99)).toThrow(unknown);
    moveJob(database, running, { to: "queued", note: "" });
    takeNextJob(database, "runner");
    expect(readOrders(database, running, "runner").keep).toBe(false);
  });
});

describe("names of int8 layers", () => {
  test("are read back in order; one list is kept for many jobs", () => {
    insert(3);
    const names = ["blocks.0.q [4x4]", "blocks.0.k [4x4]"];
    for (const id of [1, 2]) writeInt8Names(database, id, names);
    expect(readInt8Names(database, 1)).toEqual(names);
    expect(readInt8Names(database, 2)).toEqual(names);
    expect(readInt8Names(database, 3)).toEqual([]);
    expect(database.prepare("SELECT count(*) AS lists FROM int8_layers").get()).toEqual({ lists: 1 });
  });
});

describe("what other processes notice", () => {
  test("new rows of the two logs, and a count for every other change of queue and history", () => {
    insert(2);
    const { change, line } = newestRows(database);
    const counted = (subject: string) => readNews(database, change, line).revisions.get(subject) ?? 0;
    const [queue, history] = [counted("queue"), counted("history")];
    moveToFront(database, 2);
    expect(counted("queue")).toBeGreaterThan(queue);
    const moved = counted("queue");
    writePaused(database, true);
    expect(counted("queue")).toBeGreaterThan(moved);
    expect(counted("history")).toBe(history);
    database.prepare("DELETE FROM jobs WHERE id = 1").run();
    expect(counted("history")).toBeGreaterThan(history);
    removeFromQueue(database, [2]);
    expect(readNews(database, change, line).changes).toMatchObject([{ jobId: 2, state: "cancelled" }]);
  });
});

describe("migration 0020", () => {
  test("brings an older library along: its jobs keep their order, the queue runs", () => {
    database.close();
    rmSync(join(folder, "rushes.db"));
    const before = openDatabase(join(folder, "rushes.db"), migrations.slice(0, 1));
    const columns = `uid, kind, state, position, prompt, search_text, mode, model, files, settings, seed, width, height,
      num_frames, num_steps, quant_linear, attention_type, sla_topk, sigma_max, token_ids, token_count, created_at`;
    const add =
      before.prepare(`INSERT INTO jobs (${columns}) VALUES (?, 'generate', 'queued', ?, 'p', 'p', 't2v', 'demo',
      '{}', '{}', 1, 128, 128, 17, 4, 'int8', 'sla', 0.1, 80, x'00000000', 1, 0)`);
    for (const [uid, position] of [
      ["a", 2],
      ["b", 1],
    ])
      add.run(uid, position);
    before.close();
    database = openDatabase(join(folder, "rushes.db"));
    expect(databaseVersion(database)).toBe(migrations.at(-1)?.number);
    expect(order()).toEqual([2, 1]);
    expect(isPaused(database)).toBe(false);
    expect(readJob(database, 1)).toMatchObject({ keptStep: null });
  });
});
