// Where a library lies: paths that move with it, and those that nobody may remove for it.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HistoryDatabase, openDatabase } from "../../../app/history/database.ts";
import { migrations } from "../../../app/history/migrations/all.ts";
import { readJob, readStepLatents } from "../../../app/history/reads/jobs.ts";
import { discardFiles } from "../../../app/history/writes/discard-files.ts";
import { insertJobs } from "../../../app/history/writes/jobs.ts";
import { settleLibrary } from "../../../app/history/writes/library-folder.ts";
import { readDiscards } from "../../../app/history/writes/results.ts";
import { writeStepLatents } from "../../../app/history/writes/runs.ts";
import { deleteOldLatents } from "../../../app/jobs/latents-policy.ts";
import { acceptedJob } from "./accepted-job.ts";

let folder = "";
let library = "";
let database: HistoryDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-folder-"));
  library = join(folder, "library");
  for (const name of ["videos", "latents", "inputs"]) mkdirSync(join(library, name), { recursive: true });
  database = openDatabase(join(library, "rushes.db"));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A finished job with these paths in its columns. */
function job(columns: Record<string, string | null>): number {
  const [id = 0] = insertJobs(database, [acceptedJob("a ball")]);
  for (const [name, value] of Object.entries(columns))
    database.prepare(`UPDATE jobs SET ${name} = ? WHERE id = ?`).run(value, id);
  return id;
}
const column = (id: number, name: string) =>
  database.prepare(`SELECT ${name} FROM jobs WHERE id = ?`).pluck().get(id) as string | null;
const folders = () => database.prepare("SELECT path FROM library_folders ORDER BY path").pluck().all();
const cameFrom = (...paths: string[]) => {
  for (const path of paths) database.prepare("INSERT INTO library_folders (path) VALUES (?)").run(path);
};

describe("a library that lies elsewhere", () => {
  test("writes down its folder, and nothing changes while it stays there", () => {
    const id = job({ video_path: "/elsewhere/videos/a.mp4" });
    settleLibrary(database);
    settleLibrary(database);
    expect(folders()).toEqual([library]);
    expect(column(id, "video_path")).toBe("/elsewhere/videos/a.mp4");
  });

  test("takes every path of its former folder along, by whole segments", () => {
    cameFrom("/old/Rushes");
    const names = ["latents_path", "save_path", "pending_video_path", "video_path", "poster_path", "copy_path"];
    const id = job(Object.fromEntries([...names, "input_image"].map((name) => [name, `/old/Rushes/x/${name}`])));
    const other = job(Object.fromEntries(names.map((name) => [name, `/old/Rushes 2/${name}`])));
    const copies = job({ save_path: "/old/Rushes/copies/", copy_path: "/home/me/a.mp4" });
    writeStepLatents(database, id, { step: 1, path: "/old/Rushes/latents/s", bytes: 1, createdAt: 1 });
    settleLibrary(database);
    for (const name of [...names, "input_image"]) expect(column(id, name)).toBe(join(library, "x", name));
    for (const name of names) expect(column(other, name)).toBe(`/old/Rushes 2/${name}`);
    expect(column(copies, "save_path")).toBe(join(library, "copies/"));
    expect(column(copies, "copy_path")).toBe("/home/me/a.mp4");
    expect(readStepLatents(database, id)).toMatchObject([{ path: join(library, "latents/s") }]);
    expect(folders()).toEqual([library]);
  });

  test("takes its own model files along", () => {
    cameFrom("/old/Rushes");
    const files = { ...acceptedJob("").files, dit: "/old/Rushes/models/dit.safetensors" };
    const id = job({ files: JSON.stringify(files) });
    settleLibrary(database);
    expect(readJob(database, id)!.files).toEqual({ ...files, dit: join(library, "models/dit.safetensors") });
  });

  test("reads the separators of Windows", () => {
    cameFrom("E:\\Rushes");
    const id = job({ video_path: "E:\\Rushes\\videos\\a.mp4", poster_path: "E:\\Rushes/videos/a.png" });
    const other = job({ video_path: "E:\\Rushes2\\videos\\a.mp4" });
    settleLibrary(database);
    expect(column(id, "video_path")).toBe(join(library, "videos/a.mp4"));
    expect(column(id, "poster_path")).toBe(join(library, "videos/a.png"));
    expect(column(other, "video_path")).toBe("E:\\Rushes2\\videos\\a.mp4");
  });

  test("may lie inside its former folder or around it", () => {
    cameFrom(folder);
    const copied = job({ video_path: join(folder, "videos/a.mp4") });
    const here = job({ video_path: join(library, "videos/b.mp4") });
    settleLibrary(database);
    expect(column(copied, "video_path")).toBe(join(library, "videos/a.mp4"));
    expect(column(here, "video_path")).toBe(join(library, "videos/b.mp4"));
    database.exec("DELETE FROM library_folders");
    cameFrom(join(library, "inner"));
    const inner = job({ video_path: join(library, "inner/videos/a.mp4") });
    settleLibrary(database);
    expect(column(inner, "video_path")).toBe(join(library, "videos/a.mp4"));
  });

  test("keeps what is in use when a picture was wanted again under the new folder", () => {
    cameFrom("/old/Rushes");
    const kept = join(library, "inputs/a.png");
    database.prepare("INSERT INTO kept_inputs (path) VALUES (?)").run(kept);
    for (const path of ["/old/Rushes/inputs/a.png", "/old/Rushes/inputs/b.png"])
      database.prepare("INSERT INTO discards (path, keepsake) VALUES (?, 0)").run(path);
    settleLibrary(database);
    expect(readDiscards(database).map(({ path }) => path)).toEqual([join(library, "inputs/b.png")]);
  });
});

describe("a history that no folder was written down in", () => {
  test("is moved where its paths lie under another folder and the same files are here", () => {
    writeFileSync(join(library, "videos/a.mp4"), "x");
    const id = job({ video_path: "/old/Rushes/videos/a.mp4", latents_path: "/old/Rushes/latents/a.safetensors" });
    const other = job({ video_path: "/other/videos/b.mp4", save_path: "/old/mine.mp4" });
    settleLibrary(database);
    expect(column(id, "video_path")).toBe(join(library, "videos/a.mp4"));
    expect(column(id, "latents_path")).toBe(join(library, "latents/a.safetensors"));
    expect(column(other, "video_path")).toBe("/other/videos/b.mp4");
    expect(column(other, "save_path")).toBe("/old/mine.mp4");
    expect(folders()).toEqual([library]);
  });

  test("knows its folder under the other name that its paths have", () => {
    const link = join(folder, "link");
    symlinkSync(library, link);
    writeFileSync(join(library, "videos/a.mp4"), "x");
    const id = job({ video_path: join(link, "videos/a.mp4") });
    settleLibrary(database);
    expect(column(id, "video_path")).toBe(join(link, "videos/a.mp4"));
    expect(folders()).toEqual([library, link].sort());
  });

  test("migration 0080 leaves the folder to the first opening", () => {
    database.close();
    const path = join(library, "older.db");
    database = openDatabase(
      path,
      migrations.filter(({ number }) => number < 80),
    );
    const id = job({ video_path: "/old/Rushes/videos/a.mp4" });
    database.close();
    database = openDatabase(path);
    expect(folders()).toEqual([]);
    expect(column(id, "video_path")).toBe("/old/Rushes/videos/a.mp4");
  });
});

describe("files outside the library", () => {
  test("are not discarded, and forgotten", async () => {
    const [outside, within] = [join(folder, "outside.mp4"), join(library, "videos/within.mp4")];
    const roundabout = join(library, "videos") + "/../../outside.mp4";
    for (const path of [outside, within]) writeFileSync(path, "x");
    for (const keepsake of [0, 1]) {
      for (const path of [outside, within, roundabout, "E:\\a.mp4"])
        database.prepare("INSERT INTO discards (path, keepsake) VALUES (?, ?)").run(path, keepsake);
      await discardFiles(database, (path) => rm(path));
      expect(existsSync(outside)).toBe(true);
      expect(existsSync(within)).toBe(false);
      expect(readDiscards(database)).toEqual([]);
    }
  });

  test("are no old latents", async () => {
    const [outside, step] = [join(folder, "outside"), join(folder, "step")];
    for (const path of [outside, step]) writeFileSync(path, "x");
    const id = job({ latents_path: outside, video_path: "/v", state: "done" });
    database.prepare("UPDATE jobs SET finished_at = 0 WHERE id = ?").run(id);
    writeStepLatents(database, id, { step: 1, path: step, bytes: 1, createdAt: 1 });
    await deleteOldLatents(database);
    expect([existsSync(outside), existsSync(step)]).toEqual([true, true]);
  });
});
