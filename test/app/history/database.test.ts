// Opening a history, and every migration.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databaseVersion, openDatabase } from "../../../app/history/database.ts";
import { migrations } from "../../../app/history/migrations/all.ts";
import { readJob } from "../../../app/history/reads/jobs.ts";
import { insertJobs } from "../../../app/history/writes/jobs.ts";
import { acceptedJob } from "./accepted-job.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-db-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const path = () => join(folder, "rushes.db");

describe("opening a history", () => {
  test("sets WAL, foreign keys, full flushes and a patient lock", () => {
    const database = openDatabase(path());
    const pragma = (name: string) => database.pragma(name, { simple: true });
    expect(pragma("journal_mode")).toBe("wal");
    expect(pragma("foreign_keys")).toBe(1);
    expect(pragma("synchronous")).toBe(2);
    expect(pragma("busy_timeout")).toBe(10_000);
    database.close();
  });

  test("keeps what was written", () => {
    let database = openDatabase(path());
    const [id = 0] = insertJobs(database, [acceptedJob("A red ball")]);
    database.close();
    database = openDatabase(path());
    expect(readJob(database, id)).toMatchObject({ prompt: "A red ball", state: "queued", seed: 42, tokenCount: 3 });
    database.close();
  });

  test("a later version's history is refused and left as it is", () => {
    const database = openDatabase(path());
    database.pragma("user_version = 99990");
    database.close();
    expect(() => openDatabase(path())).toThrow(expect.objectContaining({ code: "history.newer" }));
  });

  test("a damaged file and a folder in its place are refused in one sentence", () => {
    writeFileSync(path(), "not a database at all, but long enough to be read as one".repeat(40));
    expect(() => openDatabase(path())).toThrow(expect.objectContaining({ code: "history.unreadable" }));
    expect(() => openDatabase(folder)).toThrow(expect.objectContaining({ code: "file.unwritable" }));
    expect(() => openDatabase(join(folder, "none", "rushes.db"))).toThrow();
  });
});

describe("migrations", () => {
  test("rise in tens and have names of their own", () => {
    const numbers = migrations.map(({ number }) => number);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(numbers.every((number) => number % 10 === 0)).toBe(true);
    expect(new Set(migrations.map(({ name }) => name)).size).toBe(migrations.length);
  });

  test("0010 makes strict tables, the lease among them, and sets the version", () => {
    const database = openDatabase(path(), migrations.slice(0, 1));
    expect(databaseVersion(database)).toBe(10);
    const tables = database.pragma("table_list") as { name: string; type: string; strict: number; schema: string }[];
    const own = tables.filter(({ name, type }) => type === "table" && /^(jobs?|job_.*|runner_.*)$/.test(name));
    const plain = own.filter(({ name }) => !name.startsWith("job_search"));
    expect(plain.map(({ name }) => name).sort()).toEqual([
      "job_changes",
      "job_log_lines",
      "job_stages",
      "job_step_latents",
      "jobs",
      "runner_lease",
    ]);
    expect(plain.every(({ strict }) => strict === 1)).toBe(true);
    const columns = database.pragma("table_info(jobs)") as { name: string }[];
    expect(columns.map(({ name }) => name)).toEqual(expect.arrayContaining(["mode", "input_image"]));
    database.close();
  });

  test("a step that fails leaves the last good form", () => {
    openDatabase(path()).close();
    const broken = {
      number: 99_990,
      name: "broken",
      sql: "CREATE TABLE half (id INTEGER); CREATE TABLE half (id INTEGER);",
    };
    expect(() => openDatabase(path(), [...migrations, broken])).toThrow();
    const database = openDatabase(path());
    expect(databaseVersion(database)).toBe(migrations.at(-1)?.number);
    expect(database.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'half'").get()).toEqual({ n: 0 });
    database.close();
  });

  test("the search index follows inserts, changes and deletes", () => {
    const database = openDatabase(path());
    const [id] = insertJobs(database, [acceptedJob("a green cube")]);
    const found = (word: string) =>
      database.prepare("SELECT rowid AS id FROM job_search WHERE job_search MATCH ?").all(word);
    expect(found("green")).toEqual([{ id }]);
    database.prepare("UPDATE jobs SET search_text = 'a blue cube' WHERE id = ?").run(id);
    expect(found("green")).toEqual([]);
    expect(found("blue")).toEqual([{ id }]);
    database.prepare("DELETE FROM jobs WHERE id = ?").run(id);
    expect(found("blue")).toEqual([]);
    database.prepare("INSERT INTO job_search (job_search) VALUES ('integrity-check')").run();
    database.close();
  });
});
