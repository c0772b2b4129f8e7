// Finding results: every filter of the window, by itself and together, on a library of 50,000 jobs: what is found, by which
// plan, and how quickly.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HistoryFilter } from "../../../contract/channels/history.ts";
import { type HistoryDatabase, openDatabase } from "../../../app/history/database.ts";
import {
  deletedCountSql,
  facetsSql,
  mostCards,
  readCards,
  readFacets,
  stackSizeSql,
} from "../../../app/history/reads/cards.ts";
import { filterStatement, findResults, wordsStatement } from "../../../app/history/reads/find.ts";
import { insertJobs } from "../../../app/history/writes/jobs.ts";
import { overdueSql } from "../../../app/history/writes/results.ts";
import { acceptedJob } from "./accepted-job.ts";
import { fillSampleLibrary, samplePace, sampleStart } from "./sample-library.ts";

const jobCount = 50_000;
/** What a listing may take, in plain walks of its index: twice what one takes. Whether it walks the index at all is read from
 * its plan, below. */
const limit = 10;
const states = ["done", "failed", "cancelled"] as const;

let folder = "";
let database: HistoryDatabase;
let rows: Row[] = [];
let fillTime = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-find-"));
  database = openDatabase(join(folder, "rushes.db"));
  const start = performance.now();
  fillSampleLibrary(database, jobCount);
  fillTime = performance.now() - start;
  rows = database
    .prepare(
      `SELECT id, prompt, state, model, favourite, deleted_at, created_at, width, height, seed, stack_id FROM jobs
       ORDER BY id DESC`,
    )
    .all() as Row[];
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Row {
  id: number;
  prompt: string;
  state: (typeof states)[number];
  model: string;
  favourite: number;
  deleted_at: number | null;
  created_at: number;
  width: number;
  height: number;
  seed: number;
  stack_id: number;
}

/** The same question asked the slow way, of every row. */
function expected(filter: HistoryFilter): number[] {
  const beginnings = (prompt: string) => prompt.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  const hasWord = (prompt: string, word: string) =>
    /\p{Script=Han}/u.test(word) ? prompt.includes(word) : beginnings(prompt).some((one) => one.startsWith(word));
  const stackOf = rows.find(({ id }) => id === filter.stackOf)?.stack_id;
  const found = rows.filter(
    (row) =>
      (filter.deleted === true) === (row.deleted_at !== null) &&
      (!filter.words || filter.words.split(" ").every((word) => hasWord(row.prompt, word))) &&
      (!filter.states || filter.states.includes(row.state)) &&
      (!filter.model || filter.model === row.model) &&
      (filter.favourite === undefined || Number(filter.favourite) === row.favourite) &&
      (filter.from === undefined || row.created_at >= filter.from) &&
      (filter.before === undefined || row.created_at < filter.before) &&
      (filter.width === undefined || row.width === filter.width) &&
      (filter.height === undefined || row.height === filter.height) &&
      (filter.seed === undefined || row.seed === filter.seed) &&
      (filter.stackOf === undefined || row.stack_id === stackOf),
  );
  if (!filter.stacked) return found.map(({ id }) => id);
  const stacks = Map.groupBy(found, ({ stack_id }) => stack_id);
  return [...stacks.values()].map((variants) => (variants.find(({ state }) => state === "done") ?? variants[0]!).id);
}

const parts: HistoryFilter[] = [
  { words: "boat sunset" },
  { words: "红色" },
  { words: "a" },
  { states: ["failed"] },
  { model: "demo" },
  { favourite: true },
  { width: 832, height: 480 },
  { from: sampleStart + 9_000 * samplePace, before: sampleStart + 30_000 * samplePace },
  { deleted: true },
];
/** Each alone, each pair, and all that can hold together; as the window asks, with and without stacks. */
const filters: HistoryFilter[] = [
  { states },
  ...parts,
  ...parts.flatMap((first, index) => parts.slice(index + 1).map((second) => ({ ...first, ...second }))),
  { words: "a", favourite: true, model: "demo", width: 832, height: 480, from: sampleStart },
].flatMap((filter) => [
  { states, ...filter },
  { states, ...filter, stacked: true },
]);

describe("finding in 50,000 results", () => {
  test("any number of states, and a whole prompt for words, are a question like others", () => {
    const many = Array.from({ length: 40_000 }, (): "done" => "done");
    expect(findResults(database, { states: many })).toEqual(findResults(database, { states: ["done"] }));
    const prompt = Array.from({ length: 800 }, (_, index) => `word${index}`).join(" ");
    expect(findResults(database, { words: prompt })).toEqual([]);
    expect(findResults(database, { words: `${rows[0]!.prompt} ${rows[0]!.prompt}` })).toContain(rows[0]!.id);
  });

  test("a library of this size is made in seconds", () => {
    console.log(`${jobCount} jobs in ${(fillTime / 1000).toFixed(1)} s`);
    expect(rows).toHaveLength(jobCount);
    expect(fillTime).toBeLessThan(110_000);
  });

  test.each(filters.map((filter) => [JSON.stringify(filter), filter] as const))("%s", (_name, filter) => {
    const ids = findResults(database, filter);
    expect(ids).toEqual(expected(filter));
    expect(timeInWalks(() => findResults(database, filter))).toBeLessThan(limit);
  });

  test("the variants of a stack, and a seed", () => {
    const [id = 0] = database.prepare("SELECT id FROM jobs WHERE id % 20 = 3 LIMIT 1").pluck().all() as number[];
    const variants = findResults(database, { stackOf: id });
    expect(variants).toEqual(expected({ stackOf: id }));
    expect(variants.length).toBeGreaterThan(3);
    const seed = database.prepare("SELECT seed FROM jobs WHERE id = 77").pluck().get() as number;
    expect(findResults(database, { seed })).toContain(77);
    expect(findResults(database, { stackOf: jobCount + 1 })).toEqual([]);
  });

  test("words with signs that mean something to the index are plain text; signs alone find nothing", () => {
    for (const words of ['"boat"', "boat)", "AND", "NEAR(", "col:boat", "boat*"])
      expect(() => findResults(database, { words }), words).not.toThrow();
    expect(findResults(database, { words: '"boat"' })).toEqual(findResults(database, { words: "boat" }));
    for (const words of ['"', "*", "()"]) expect(findResults(database, { words })).toEqual([]);
    expect(findResults(database, { words: "  " })).toEqual(findResults(database, {}));
  });

  test("no listing reads the wide rows or sorts", () => {
    for (const filter of filters) {
      const { sql, parameters } = filterStatement(filter);
      expect(plan(sql, parameters)).toEqual(["SCAN jobs USING COVERING INDEX jobs_listed"]);
    }
    const { sql, parameters } = filterStatement({ stackOf: 5 });
    expect(plan(sql, parameters)).toEqual([
      "SCAN jobs USING COVERING INDEX jobs_listed",
      expect.stringContaining("SCALAR SUBQUERY"),
      expect.stringContaining("SEARCH jobs USING"),
    ]);
    expect(plan(wordsStatement, ['"a"*'])).toEqual([expect.stringMatching(/^SCAN job_search VIRTUAL TABLE INDEX/)]);
  });
});

describe("a stack of variants", () => {
  let small: HistoryDatabase;
  beforeAll(() => (small = openDatabase(join(folder, "small.db"))));
  afterAll(() => small.close());

  /** A stack of variants that ended like this, the oldest first; their numbers. */
  function stackOf(prompt: string, ends: readonly (typeof states)[number][]): number[] {
    const ids = insertJobs(
      small,
      ends.map((_, index) => {
        const job = acceptedJob(prompt);
        return { ...job, settings: { ...job.settings, seed: index } };
      }),
      sampleStart,
    );
    const end = small.prepare("UPDATE jobs SET state = ? WHERE id = ?");
    ids.forEach((id, index) => end.run(ends[index], id));
    return ids;
  }

  test("stands for itself by its newest that is done, else by its newest, at the place of its newest", () => {
    const begun = stackOf("a red ball", ["done", "done"]);
    const between = stackOf("a blue ball", ["cancelled", "failed"]);
    const ended = stackOf("a red ball", ["cancelled"]);
    const alone = stackOf("a green ball", ["failed", "cancelled"]);
    const stacked = { states, stacked: true };
    expect(findResults(small, stacked)).toEqual([alone[1], begun[1], between[1]]);
    expect(findResults(small, { ...stacked, states: ["cancelled"] })).toEqual([alone[1], ended[0], between[0]]);
    expect(findResults(small, { ...stacked, words: "red" })).toEqual([begun[1]]);
  });
});

describe("what is shown of them", () => {
  test("cards come in the order asked for, without those that are gone, at most so many", () => {
    const cards = readCards(database, [5, 49_999, 60_000, 7]);
    expect(cards.map(({ id }) => id)).toEqual([5, 49_999, 7]);
    expect(cards[2]).toMatchObject({ state: "failed", hasVideo: false, seconds: null, fps: 16 });
    expect(cards[0]).toMatchObject({ state: "done", hasVideo: true, seconds: 8, stackSize: variantsOf(5) });
    const many = Array.from({ length: mostCards + 50 }, (_, index) => index + 1);
    expect(readCards(database, many)).toHaveLength(mostCards);
    expect(timeInWalks(() => readCards(database, many.slice(0, 100)))).toBeLessThan(limit);
  });

  test("a stack is counted without the trash; in the trash, only what lies there", () => {
    const deleted = database.prepare("SELECT id FROM jobs WHERE deleted_at IS NOT NULL AND id % 20 = 2").pluck();
    const id = deleted.get() as number;
    const [card] = readCards(database, [id]);
    expect(card?.deletedAt).toBeGreaterThan(0);
    expect(card?.stackSize).toBe(findResults(database, { stackOf: id, deleted: true }).length);
  });

  test("counts for the filters, by a narrow index", () => {
    const facets = readFacets(database);
    for (const { model, count } of facets.models) expect(findResults(database, { model })).toHaveLength(count);
    for (const { state, count } of facets.states)
      expect(findResults(database, { states: [state] })).toHaveLength(count);
    for (const { width, height, count } of facets.sizes)
      expect(findResults(database, { width, height })).toHaveLength(count);
    expect(facets.favourites).toBe(findResults(database, { favourite: true }).length);
    expect(facets.deleted).toBe(findResults(database, { deleted: true }).length);
    expect(facets.models.map(({ count }) => count)).toEqual(
      facets.models.map(({ count }) => count).sort((a, b) => b - a),
    );
    expect(timeInWalks(() => readFacets(database))).toBeLessThan(limit);
    expect(plan(facetsSql)).toEqual(["SEARCH jobs USING COVERING INDEX jobs_counted (deleted_at=?)"]);
    expect(plan(deletedCountSql).join()).toMatch(/USING COVERING INDEX jobs_counted/);
    expect(plan(stackSizeSql(false), [1]).join()).toMatch(/SEARCH jobs USING COVERING INDEX jobs_stacked/);
    expect(plan(overdueSql, [1]).join()).toMatch(/SEARCH jobs USING COVERING INDEX jobs_counted/);
    expect(plan("SELECT 1 FROM jobs WHERE latents_path = ?", ["x"]).join()).toMatch(/INDEX jobs_by_latents/);
  });
});

function variantsOf(id: number): number {
  return findResults(database, { stackOf: id }).length;
}

function plan(sql: string, parameters: unknown = {}): string[] {
  return (database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(parameters) as { detail: string }[]).map(
    ({ detail }) => detail,
  );
}

/** The time of some work, in times of what a listing does at least: handing over every id by the index it walks. Neither a
 * slower machine nor its neighbours change that much: both are processor time of this thread, by turns. The clock goes in
 * ticks of some milliseconds, so that only sums say something. */
function timeInWalks(work: () => unknown, rounds = 30): number {
  const walk = database.prepare("SELECT id FROM jobs INDEXED BY jobs_listed ORDER BY id DESC").pluck();
  let [working, walking] = [0, 0];
  for (let round = 0; round < rounds && (round < 4 || walking < 30 || working >= limit * walking); round++) {
    working += processorTime(work);
    for (let time = 0; time < 2; time++) walking += processorTime(() => walk.all()) / 2;
  }
  return working / walking;
}

/** Milliseconds of this thread. */
function processorTime(work: () => unknown): number {
  const start = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}
