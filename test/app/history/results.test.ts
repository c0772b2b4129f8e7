// Favourites, the trash and its emptying, stacks; and what a kill in the middle leaves.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HistoryDatabase, openDatabase } from "../../../app/history/database.ts";
import { migrations } from "../../../app/history/migrations/all.ts";
import { readCards, readResult } from "../../../app/history/reads/cards.ts";
import { findResults } from "../../../app/history/reads/find.ts";
import { listJobs, readJob, searchJobs } from "../../../app/history/reads/jobs.ts";
import { insertJobs, moveJob, queueAgain, updateSettings } from "../../../app/history/writes/jobs.ts";
import { writeStepLatents, writeVideo } from "../../../app/history/writes/runs.ts";
import { discardFiles, purgeOverdue } from "../../../app/history/writes/discard-files.ts";
import {
  daysInTrash,
  deleteResults,
  markFavourites,
  purgeResults,
  readDiscards,
  restoreResults,
} from "../../../app/history/writes/results.ts";
import { acceptedJob } from "./accepted-job.ts";

let folder = "";
let database: HistoryDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-results-"));
  for (const name of ["videos", "latents"]) mkdirSync(join(folder, name));
  database = openDatabase(join(folder, "rushes.db"));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const discard = (path: string) => rm(path);
const day = 24 * 60 * 60 * 1000;

/** A finished job with its files on the disk. */
function finished(prompt = "a ball", changes: Parameters<typeof acceptedJob>[1] = {}): number {
  const [id = 0] = insertJobs(database, [acceptedJob(prompt, changes)]);
  const path = (name: string) => join(folder, name);
  const files = [`videos/${id}.mp4`, `videos/${id}.png`, `latents/${id}-step1.safetensors`].map(path);
  for (const file of files) writeFileSync(file, "x");
  const [video = "", poster = "", step = ""] = files;
  writeStepLatents(database, id, { step: 1, path: step, bytes: 1, createdAt: 1 });
  if (!changes.latentsPath) {
    const latents = path(`latents/${id}.safetensors`);
    writeFileSync(latents, "x");
    database.prepare("UPDATE jobs SET latents_path = ? WHERE id = ?").run(latents, id);
  }
  const size = { bytes: 1, frames: 17, width: 128, height: 128 };
  writeVideo(database, id, { path: video, posterPath: poster, copyPath: null, ...size });
  database.prepare("UPDATE jobs SET state = 'done' WHERE id = ?").run(id);
  return id;
}

const files = () => [...readdirSync(join(folder, "videos")), ...readdirSync(join(folder, "latents"))].sort();

describe("favourites", () => {
  test("are marked and unmarked; only what changed is told", () => {
    const [one, two] = [finished(), finished()];
    expect(markFavourites(database, [one, one, 99], true)).toEqual([one]);
    expect(markFavourites(database, [one, two], true)).toEqual([two]);
    expect(findResults(database, { favourite: true })).toEqual([two, one]);
    expect(markFavourites(database, [one], false)).toEqual([one]);
    expect(readResult(database, two)?.favourite).toBe(true);
    expect(readResult(database, one)?.favourite).toBe(false);
  });
});

describe("the trash", () => {
  test("a deleted result is out of every list, keeps its files, and comes back whole", () => {
    const [one, two] = [finished("a red ball"), finished("a red cube")];
    const before = readResult(database, one);
    const all = files();
    expect(deleteResults(database, [one], 5000)).toEqual([one]);
    expect(findResults(database, {})).toEqual([two]);
    expect(findResults(database, { words: "red" })).toEqual([two]);
    expect(findResults(database, { deleted: true })).toEqual([one]);
    expect(listJobs(database).map(({ id }) => id)).toEqual([two]);
    expect(searchJobs(database, "red").map(({ id }) => id)).toEqual([two]);
    expect(readCards(database, [one])[0]?.deletedAt).toBe(5000);
    expect(files()).toEqual(all);
    expect(restoreResults(database, [one, two])).toEqual([one]);
    expect(readResult(database, one)).toEqual(before);
  });

  test("jobs that wait or run stay, and say so where nothing else was asked for", () => {
    const [waiting = 0, running = 0] = insertJobs(database, [acceptedJob("w"), acceptedJob("r")]);
    database.prepare("UPDATE jobs SET state = 'running' WHERE id = ?").run(running);
    const done = finished();
    expect(deleteResults(database, [waiting, done, running])).toEqual([done]);
    const started = expect.objectContaining({ code: "job.started" }) as unknown;
    expect(() => deleteResults(database, [waiting])).toThrow(started);
    expect(() => deleteResults(database, [running])).toThrow(started);
    expect(() => deleteResults(database, [99])).toThrow(expect.objectContaining({ code: "job.unknown" }));
    // Twice is once.
    expect(deleteResults(database, [done])).toEqual([]);
  });

  test("a deleted job that is asked for again leaves the trash", () => {
    const id = finished();
    database.prepare("UPDATE jobs SET state = 'failed' WHERE id = ?").run(id);
    deleteResults(database, [id]);
    expect(queueAgain(database, id)).toBe(true);
    expect(readResult(database, id)).toMatchObject({ state: "queued", deletedAt: null });
  });

  test("purging takes the row, its text and its files, and only from the trash", async () => {
    const [kept, gone] = [finished("a red ball"), finished("a red cube")];
    deleteResults(database, [gone]);
    const thrown: string[] = [];
    expect(purgeResults(database, [kept, gone])).toEqual([gone]);
    await discardFiles(database, async (path) => {
      thrown.push(path);
      await rm(path);
    });
    expect(thrown).toEqual([join(folder, `videos/${gone}.mp4`), join(folder, `videos/${gone}.png`)]);
    expect(readJob(database, gone)).toBeNull();
    expect(searchJobs(database, "cube")).toEqual([]);
    expect(files().filter((name) => name.startsWith(String(gone)))).toEqual([]);
    expect(files()).toHaveLength(4);
    expect(readDiscards(database)).toEqual([]);
    database.prepare("INSERT INTO job_search (job_search) VALUES ('integrity-check')").run();
  });

  test("latents that another job was decoded from stay until it goes too", async () => {
    const source = finished();
    const latentsPath = join(folder, `latents/${source}.safetensors`);
    const again = finished("a ball", { kind: "decode", latentsPath, sourceJobId: source });
    deleteResults(database, [source, again]);
    purgeResults(database, [source]);
    await discardFiles(database, discard);
    expect(existsSync(latentsPath)).toBe(true);
    expect(readJob(database, again)?.sourceJobId).toBeNull();
    purgeResults(database, [again]);
    await discardFiles(database, discard);
    expect(existsSync(latentsPath)).toBe(false);
  });

  test("what lies there for longer than it is kept goes by itself", async () => {
    const now = Date.now();
    const [old, young] = [finished(), finished()];
    deleteResults(database, [old], now - daysInTrash * day - 1);
    deleteResults(database, [young], now - daysInTrash * day + 60_000);
    expect(await purgeOverdue(database, discard, now)).toEqual([old]);
    expect(findResults(database, { deleted: true })).toEqual([young]);
  });

  test("a file that cannot be removed is told and tried again; one that is gone already is no trouble", async () => {
    const id = finished();
    deleteResults(database, [id]);
    purgeResults(database, [id]);
    rmSync(join(folder, `latents/${id}.safetensors`));
    const refuse = () => Promise.reject(new Error("locked"));
    await expect(discardFiles(database, refuse)).rejects.toMatchObject({ code: "file.unwritable" });
    expect(readDiscards(database).map(({ keepsake }) => keepsake)).toEqual([true, true]);
    await discardFiles(database, discard);
    expect(files()).toEqual([]);
  });

  test("two purges at once are no trouble to each other", async () => {
    const id = finished();
    deleteResults(database, [id]);
    purgeResults(database, [id]);
    // As a system's trash does with what another one has taken meanwhile.
    const late = async (path: string) => {
      await discard(path);
      throw new Error("There is no such file.");
    };
    await discardFiles(database, late);
    expect(readDiscards(database)).toEqual([]);
  });

  test("kill -9 at any moment of deleting and purging loses no result and leaves no file behind", async () => {
    const ids = Array.from({ length: 12 }, () => finished());
    database.close();
    const script = join(import.meta.dirname, "delete-for-ever.ts");
    for (const delay of [0, 3, 10, 25]) {
      const child = spawn(process.execPath, [script, join(folder, "rushes.db")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      // It says when it begins; from then on any moment will do.
      await new Promise((resolve) => child.stdout.once("data", resolve));
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
      database = openDatabase(join(folder, "rushes.db"));
      const present = ids.filter((id) => readJob(database, id));
      for (const id of present) expect(files().filter((name) => name.startsWith(`${id}.`))).toHaveLength(3);
      await purgeOverdue(database, discard);
      const left = new Set(files().map((name) => Number.parseInt(name)));
      expect([...left].sort((a, b) => a - b)).toEqual(present);
      database.close();
    }
    database = openDatabase(join(folder, "rushes.db"));
  });
});

describe("stacks", () => {
  test("the same prompt, mode, model and picture; an edit moves a job to another stack", () => {
    const one = finished("A red ball");
    const same = finished(" A red ball ");
    const [model, picture] = [finished("A red ball", { model: "other" }), finished("A red cube")];
    expect(findResults(database, { stackOf: one })).toEqual([same, one]);
    expect(findResults(database, { stacked: true })).toEqual([picture, model, same]);
    expect(readCards(database, [same])[0]?.stackSize).toBe(2);
    database.prepare("UPDATE jobs SET input_image = '/a.png' WHERE id = ?").run(same);
    expect(findResults(database, { stackOf: one })).toEqual([one]);
    database.prepare("UPDATE jobs SET input_image = NULL WHERE id = ?").run(same);
    expect(findResults(database, { stackOf: one })).toEqual([same, one]);
    const { settings } = acceptedJob("A red ball");
    updateSettings(database, one, { ...settings, seed: 5 });
    expect(readCards(database, [one])[0]?.stackSize).toBe(2);
  });
});

describe("migration 0030", () => {
  test("gives the jobs of an old library their stacks, and keeps what there was", () => {
    const path = join(folder, "old.db");
    const before = migrations.filter(({ number }) => number < 30);
    database.close();
    database = openDatabase(path, before);
    const [one = 0, two = 0, three = 0] = insertJobs(database, [
      acceptedJob("a"),
      acceptedJob("b 红球"),
      acceptedJob("a"),
    ]);
    const jobs = listRows();
    database.close();
    database = openDatabase(path);
    expect(listRows()).toMatchObject(jobs);
    expect(findResults(database, { stackOf: one })).toEqual([three, one]);
    expect(findResults(database, { stackOf: two })).toEqual([two]);
    expect(findResults(database, { words: "红" })).toEqual([two]);
    const [next = 0] = insertJobs(database, [acceptedJob("b 红球")]);
    expect(findResults(database, { stacked: true })).toEqual([next, three]);
    moveJob(database, next, { to: "cancelled", note: "" });
    expect(deleteResults(database, [next])).toEqual([next]);
  });

  function listRows(): unknown[] {
    return database.prepare("SELECT * FROM jobs ORDER BY id").all();
  }
});
