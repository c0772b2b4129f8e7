// Jobs in the history: records, moves, lists and their query plans, full-text search.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HistoryDatabase, openDatabase } from "../../../app/history/database.ts";
import {
  type HistoryQuery,
  listJobs,
  listStatement,
  readDetail,
  readJob,
  readTokenIds,
  searchJobs,
  searchStatement,
} from "../../../app/history/reads/jobs.ts";
import { searchQuery, searchText } from "../../../app/history/search-text.ts";
import { insertJobs, moveJob, queueAgain, requestCancel, updateSettings } from "../../../app/history/writes/jobs.ts";
import { takeLease } from "../../../app/history/writes/lease.ts";
import {
  nextQueued,
  readOrders,
  takeNextJob,
  writeCrash,
  writeFacts,
  writeLog,
  writeProgress,
  writeStages,
  writeStepLatents,
  writeVideo,
} from "../../../app/history/writes/runs.ts";
import { ownIdentity } from "../../../app/history/process-identity.ts";
import { acceptedJob } from "./accepted-job.ts";

let folder = "";
let database: HistoryDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-jobs-"));
  database = openDatabase(join(folder, "rushes.db"));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});
const runner = "runner";
const hold = () => takeLease(database, { token: runner, ...ownIdentity() });
const insert = (...prompts: string[]) =>
  insertJobs(
    database,
    prompts.map((prompt) => acceptedJob(prompt)),
  );
const plan = (sql: string, parameters: unknown = {}) =>
  (database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(parameters) as { detail: string }[]).map(({ detail }) => detail);

describe("the start of a job", () => {
  test("is that of its latest attempt: a night in the queue is no time of the job", () => {
    const [id = 0] = insertJobs(database, [acceptedJob("a ball")]);
    takeLease(database, { token: "runner", ...ownIdentity() });
    takeNextJob(database, "runner", 1000);
    moveJob(database, id, { to: "queued", note: "the queue was paused", now: 2000 });
    takeNextJob(database, "runner", 30_000_000);
    expect(readJob(database, id)).toMatchObject({ startedAt: 30_000_000, attempts: 2 });
  });
});

describe("a job's record", () => {
  test("holds what was accepted, resolved settings and tokens included", () => {
    const accepted = acceptedJob("A red ball");
    const [id = 0] = insertJobs(database, [accepted], 1000);
    expect(readDetail(database, id)).toMatchObject({
      uid: accepted.uid,
      state: "queued",
      settings: accepted.settings,
      files: accepted.files,
      createdAt: 1000,
      startedAt: null,
      changes: [{ state: "queued", at: 1000, note: "accepted" }],
    });
    expect(readTokenIds(database, id)).toEqual(accepted.ids);
    const row = database.prepare("SELECT seed, width, num_steps, quant_linear, sla_topk FROM jobs").get();
    expect(row).toEqual({ seed: 42, width: 128, num_steps: 4, quant_linear: "auto", sla_topk: 0.1 });
  });

  test("all of several requests or none", () => {
    const twin = acceptedJob("one");
    expect(() => insertJobs(database, [twin, acceptedJob("two"), twin])).toThrow();
    expect(listJobs(database)).toEqual([]);
  });

  test("holds the largest seed exactly", () => {
    const job = acceptedJob("x");
    const seed = Number.MAX_SAFE_INTEGER;
    const [id = 0] = insertJobs(database, [{ ...job, settings: { ...job.settings, seed } }]);
    expect(readJob(database, id)?.seed).toBe(seed);
  });

  test("grows with what its run reports", () => {
    const [id = 0] = insert("a ball");
    hold();
    expect(takeNextJob(database, runner, 2000)).toBe(id);
    writeProgress(database, id, { stage: "sample", fraction: 0.5, step: 2, steps: 4, overall: 0.4, etaSeconds: 3 });
    writeStepLatents(database, id, { step: 1, path: "/l/1", bytes: 10, createdAt: 2100 });
    writeStepLatents(database, id, { step: 1, path: "/l/1", bytes: 12, createdAt: 2200 });
    writeLog(database, id, [
      { at: 2001, level: "info", line: "int8 on 80 linear layers" },
      { at: 2002, level: "debug", line: "Int8 linear: blocks.5.self_attn.q [1536x1536]" },
    ]);
    const stage = {
      stage: "sample",
      seconds: 2.5,
      peakBytes: 7,
      deviceBytes: 5,
      plannedSeconds: 2,
      plannedBytes: 8,
      plannedDeviceBytes: 6,
    } as const;
    writeStages(database, id, 1, [stage]);
    writeFacts(database, id, {
      warnings: ["w"],
      int8: { layers: 80, bytes16: 200, bytes: 100 },
      plannedSeconds: 4,
      plannedPeakBytes: 8,
      deviceName: "A card",
    });
    const video = {
      path: "/v.mp4",
      posterPath: "/v.png",
      copyPath: null,
      bytes: 5,
      frames: 17,
      width: 128,
      height: 96,
    };
    writeVideo(database, id, video);
    expect(moveJob(database, id, { to: "done", note: "", runner, now: 3000 })).toBe(true);
    expect(readDetail(database, id)).toMatchObject({
      state: "done",
      startedAt: 2000,
      finishedAt: 3000,
      attempts: 1,
      progress: { step: 2 },
      steps: [{ step: 1, bytes: 12 }],
      log: [{ line: "int8 on 80 linear layers" }, { level: "debug" }],
      stages: [{ attempt: 1, ...stage }],
      warnings: ["w"],
      int8: { layers: 80 },
      plannedPeakBytes: 8,
      video,
      error: null,
      changes: [{ state: "queued" }, { state: "running" }, { state: "done" }],
    });
  });

  test("settings and their columns change together", () => {
    const [id = 0] = insert("a ball");
    const { settings } = acceptedJob("a ball");
    updateSettings(database, id, { ...settings, threads: 2, quantLinear: "int8" });
    expect(readJob(database, id)?.settings).toMatchObject({ threads: 2, quantLinear: "int8" });
    expect(database.prepare("SELECT quant_linear AS q FROM jobs").get()).toEqual({ q: "int8" });
  });
});

describe("moves", () => {
  test("a move that the drawing lacks changes nothing", () => {
    const [id = 0] = insert("a ball");
    expect(moveJob(database, id, { to: "done", note: "" })).toBe(false);
    expect(readJob(database, id)?.state).toBe("queued");
    expect(() => moveJob(database, 99, { to: "done", note: "" })).toThrow(
      expect.objectContaining({ code: "job.unknown" }),
    );
  });

  test("a failure is kept with its code, sentence, advice and detail, and forgotten when asked for again", () => {
    const [id = 0] = insert("a ball");
    hold();
    takeNextJob(database, runner);
    const error = { code: "disk.full", sentence: "Full.", advice: "Free some.", detail: "ENOSPC" } as const;
    moveJob(database, id, { to: "failed", note: "", error, runner });
    expect(readJob(database, id)?.error).toEqual(error);
    expect(queueAgain(database, id)).toBe(true);
    expect(readJob(database, id)).toMatchObject({ state: "queued", error: null, finishedAt: null });
  });

  test("a failed job that is asked for again on the CPU forgets the card and what it planned there", () => {
    const [id = 0] = insert("a ball");
    hold();
    takeNextJob(database, runner);
    writeFacts(database, id, {
      warnings: [],
      int8: null,
      plannedSeconds: 4,
      plannedPeakBytes: 8,
      deviceName: "A card",
    });
    const error = { code: "gpu.lost", sentence: "Lost.", advice: "", detail: "" } as const;
    moveJob(database, id, { to: "failed", note: "", error, runner });
    const before = readJob(database, id)!;
    expect(queueAgain(database, id, { onCpu: true })).toBe(true);
    expect(readDetail(database, id)).toMatchObject({
      state: "queued",
      deviceName: null,
      plannedSeconds: null,
      plannedPeakBytes: null,
      settings: { ...before.settings, device: "cpu" },
    });
    expect(readDetail(database, id)?.changes.at(-1)?.note).toBe("asked for again, on the CPU");
  });

  test("only the runner that holds a job may end it", () => {
    const [id = 0] = insert("a ball");
    hold();
    takeNextJob(database, runner);
    expect(moveJob(database, id, { to: "done", note: "", runner: "somebody else" })).toBe(false);
    expect(readOrders(database, id, "somebody else").mine).toBe(false);
    expect(readOrders(database, id, runner)).toEqual({
      mine: true,
      cancel: false,
      keep: false,
      pause: false,
    });
  });

  test("cancelling ends a queued job, asks the runner of a running one, and leaves a final one alone", () => {
    const [first = 0, second = 0] = insert("one", "two");
    hold();
    takeNextJob(database, runner);
    expect(requestCancel(database, second)).toBe(true);
    expect(readJob(database, second)?.state).toBe("cancelled");
    expect(requestCancel(database, first)).toBe(true);
    expect(readOrders(database, first, runner).cancel).toBe(true);
    moveJob(database, first, { to: "cancelled", note: "", runner });
    expect(requestCancel(database, first)).toBe(false);
  });

  test("jobs run in the order of their acceptance; one asked for again goes to the end", () => {
    const [first = 0, second = 0, third = 0] = insert("one", "two", "three");
    hold();
    requestCancel(database, first);
    queueAgain(database, first);
    const order = [1, 2, 3, 4].map(() => takeNextJob(database, runner));
    expect(order).toEqual([second, third, first, null]);
  });

  test("nobody without the lease gets a job", () => {
    insert("one");
    expect(takeNextJob(database, runner)).toBeNull();
  });

  test("crashes are counted", () => {
    const [id = 0] = insert("one");
    expect([writeCrash(database, id), writeCrash(database, id)]).toEqual([1, 2]);
  });
});

describe("lists", () => {
  test("newest first, page by page, by state and model", () => {
    const ids = insert("one", "two", "three");
    requestCancel(database, ids[1] ?? 0);
    const list = (query?: HistoryQuery) => listJobs(database, query).map(({ prompt }) => prompt);
    expect(list()).toEqual(["three", "two", "one"]);
    expect(list({ limit: 2 })).toEqual(["three", "two"]);
    expect(list({ before: ids[1] ?? 0 })).toEqual(["one"]);
    expect(list({ state: "queued" })).toEqual(["three", "one"]);
    expect(list({ model: "wan" })).toEqual([]);
  });

  const sorts = /USE TEMP B-TREE/;
  const walksTable = /SCAN jobs(?! VIRTUAL)/;
  test.each<[string, HistoryQuery]>([
    ["a page", { before: 10 }],
    ["by state", { state: "done" }],
    ["by state, a page", { state: "done", before: 10 }],
    ["by model", { model: "demo" }],
    ["by model, a page", { model: "demo", before: 10 }],
  ])("%s: an index, no sorting", (_name, query) => {
    const { sql, parameters } = listStatement(query);
    const steps = plan(sql, parameters);
    expect(steps.join()).toMatch(/SEARCH jobs USING (INDEX|INTEGER PRIMARY KEY)/);
    expect(steps.join()).not.toMatch(sorts);
  });

  test("the newest walk the primary key backwards, without sorting", () => {
    const { sql, parameters } = listStatement({});
    expect(plan(sql, parameters)).toEqual(["SCAN jobs"]);
  });

  test.each<[string, HistoryQuery]>([
    ["everything", {}],
    ["a page", { before: 10 }],
    ["by state", { state: "done" }],
    ["by model", { model: "demo" }],
  ])("searching %s: the text index outside, the primary key inside, no sorting", (_name, query) => {
    const { sql, parameters } = searchStatement('"red"*', query);
    const steps = plan(sql, parameters);
    expect(steps[0]).toMatch(/SCAN job_search VIRTUAL TABLE INDEX/);
    expect(steps[1]).toMatch(/SEARCH jobs USING INTEGER PRIMARY KEY/);
    expect(steps.join()).not.toMatch(sorts);
  });

  test("the queue, the running jobs and the details use an index", () => {
    expect(plan(nextQueued).join()).toMatch(/USING (COVERING )?INDEX jobs_in_queue/);
    expect(plan("SELECT id FROM jobs WHERE state = 'running' AND runner IS NOT 'x'").join()).toMatch(
      /SEARCH jobs USING INDEX/,
    );
    expect(plan("SELECT * FROM job_log_lines WHERE job_id = 1 AND id > 5 ORDER BY id").join()).toMatch(
      /SEARCH job_log_lines USING INDEX/,
    );
    expect(plan("SELECT id FROM jobs WHERE latents_path IS NOT NULL ORDER BY id").join()).not.toMatch(sorts);
    expect(plan("SELECT count(*) FROM jobs WHERE seed = 1").join()).not.toMatch(walksTable);
  });
});

describe("full-text search", () => {
  test("finds words in any order, by their beginning, in any case", () => {
    insert("A red ball bounces on a blue background", "A green triangle, spinning");
    const find = (words: string) => searchJobs(database, words).map(({ prompt }) => prompt.slice(0, 7));
    expect(find("ball RED")).toEqual(["A red b"]);
    expect(find("boun")).toEqual(["A red b"]);
    expect(find("spin triangle")).toEqual(["A green"]);
    expect(find("a")).toHaveLength(2);
    expect(find("purple")).toEqual([]);
  });

  test("finds Chinese and Japanese by any run of characters, among other words too", () => {
    insert("一个红色的球在蓝色背景上弹跳", "赤いボールが跳ねる", "a 红球 bounces");
    const find = (words: string) => searchJobs(database, words).map(({ prompt }) => prompt);
    expect(find("红色")).toEqual(["一个红色的球在蓝色背景上弹跳"]);
    expect(find("球")).toHaveLength(2);
    expect(find("背景 红")).toHaveLength(1);
    expect(find("ボール")).toEqual(["赤いボールが跳ねる"]);
    expect(find("红球 boun")).toEqual(["a 红球 bounces"]);
    expect(find("色红")).toEqual([]);
  });

  test("takes signs that mean something to the index as plain text", () => {
    insert('the "red" ball - (big) 50% AND* c++');
    for (const words of ['"red"', "red)", "(big", "50%", "AND", "NOT", "c++", "NEAR(", "red-ball", "col:red"])
      expect(() => searchJobs(database, words), words).not.toThrow();
    expect(searchJobs(database, '"red"')).toHaveLength(1);
    for (const nothing of ["", "   ", '"', "*", "()"]) expect(searchJobs(database, nothing)).toEqual([]);
  });

  test("splits what is written without spaces", () => {
    expect(searchText("a红球b")).toBe("a 红 球 b");
    expect(searchQuery("红球 boun")).toBe('"红 球"* AND "boun"*');
    expect(searchQuery(" \n")).toBeNull();
  });
});
