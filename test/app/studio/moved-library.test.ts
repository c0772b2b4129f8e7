// A library is one folder, wherever it lies: copied, moved, or opened under another name. The engine is the plumbing addon.
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { historyChannels, keepTrash } from "../../../app/channels/history-channels.ts";
import { openDatabase } from "../../../app/history/database.ts";
import { deleteResults } from "../../../app/history/writes/results.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { openDoor as door } from "../channels/open-door.ts";
import { Plumbing, until } from "../engine/plumbing.ts";

let plumbing: Plumbing;
let elsewhere = "";
const open: Studio[] = [];
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(() => {
  plumbing.script({ stepMs: 5 });
  elsewhere = join(plumbing.folder, "elsewhere", "Rushes");
  mkdirSync(join(elsewhere, ".."), { recursive: true });
});
afterEach(async () => {
  for (const studio of open.splice(0)) await studio.close();
  for (const folder of [plumbing.library, join(elsewhere, "..")]) rmSync(folder, { recursive: true, force: true });
});

async function studioOf(libraryFolder: string): Promise<Studio> {
  const studio = await openStudio({ libraryFolder });
  open.push(studio);
  return studio;
}

const prompt = "A red ball bounces on a blue background";
async function generated(studio: Studio, seed: number) {
  return studio.wait((await studio.enqueue({ prompt, settings: { seed } })).id);
}

/** A library with one result, closed. */
async function closedLibrary() {
  const studio = await studioOf(plumbing.library);
  const job = await generated(studio, 1);
  await studio.close();
  return job;
}

/** As a version left it that did not write down where the library lies. */
function withoutFolder(library: string): void {
  const database = openDatabase(join(library, "rushes.db"));
  database.exec("DROP TABLE IF EXISTS library_folders; PRAGMA user_version = 70");
  database.close();
}

const inside = (folder: string, path: string) => join(folder, path.slice(plumbing.library.length));

test("purging a result of a copy takes the copy's files and leaves the original's", async () => {
  const job = await closedLibrary();
  cpSync(plumbing.library, elsewhere, { recursive: true });
  const copy = await studioOf(elsewhere);
  const history = historyChannels(copy);
  await history["history:delete"]({ jobIds: [job.id] }, door);
  await history["history:purge"]({ jobIds: [job.id] }, door);
  for (const path of [job.video!.path, job.video!.posterPath, job.latentsPath!]) {
    expect(existsSync(path)).toBe(true);
    expect(existsSync(inside(elsewhere, path))).toBe(false);
  }
  expect((await studioOf(plumbing.library)).get(job.id)!.video!.path).toBe(job.video!.path);
});

test("the days of the trash end for the copy's own files alone", async () => {
  const job = await closedLibrary();
  cpSync(plumbing.library, elsewhere, { recursive: true });
  const copy = await studioOf(elsewhere);
  deleteResults(copy.database, [job.id], 0);
  const end = keepTrash(copy, door);
  await until(() => copy.get(job.id) === null, "the trash to be emptied");
  end();
  await until(() => !existsSync(inside(elsewhere, job.video!.path)), "the copy's video to go");
  expect(existsSync(job.video!.path)).toBe(true);
});

test.each(["a folder that was written down", "a version that wrote none down"])(
  "a moved library has all it had: %s",
  async (before) => {
    const studio = await studioOf(plumbing.library);
    const job = await generated(studio, 1);
    plumbing.script({ stepMs: 5, failInStep: 3, failure: { code: "engine.internal", message: "Broken." } });
    const failed = await generated(studio, 2);
    expect(failed.state).toBe("failed");
    const copyPath = join(plumbing.folder, "mine.mp4");
    plumbing.script({ stepMs: 5 });
    const copied = await studio.wait((await studio.enqueue({ prompt, savePath: copyPath })).id);
    await studio.close();
    if (before.startsWith("a version")) withoutFolder(plumbing.library);
    renameSync(plumbing.library, elsewhere);

    const moved = await studioOf(elsewhere);
    const after = moved.get(job.id)!;
    expect(after.video!.path).toBe(inside(elsewhere, job.video!.path));
    for (const path of [after.video!.path, after.video!.posterPath, after.latentsPath!])
      expect(existsSync(path), path).toBe(true);
    expect(moved.get(copied.id)).toMatchObject({ savePath: copyPath, video: { copyPath } });
    const again = await moved.wait((await moved.decodeAgain(job.id)).id);
    expect(again.state).toBe("done");
    moved.again(failed.id);
    expect(await moved.wait(failed.id)).toMatchObject({ state: "done", resumedFromStep: 2 });
    expect(existsSync(plumbing.library)).toBe(false);
  },
);

test("pictures, LoRAs in the library and the window's session move along; what lies outside stays", async () => {
  const { id } = await closedLibrary();
  const [image, lora] = [join(plumbing.library, "inputs", "a.png"), join(plumbing.library, "loras", "b.safetensors")];
  const near = join(`${plumbing.library}-old`, "c.safetensors");
  for (const path of [image, lora]) writeFileSync(path, "x");
  const first = await studioOf(plumbing.library);
  const loras = [lora, near].map((file) => ({ file, strength: 1, expert: "both" as const }));
  const settings = { ...first.get(id)!.settings, image, loras };
  first.database
    .prepare("UPDATE jobs SET settings = ?, input_image = ? WHERE id = ?")
    .run(JSON.stringify(settings), image, id);
  first.database.prepare("INSERT INTO kept_inputs (path) VALUES (?)").run(image);
  first.database.prepare("INSERT INTO discards (path, keepsake) VALUES (?, 0)").run(`${image}-gone`);
  first.form.keepSession({ values: { prompt: image, image, loras }, presetId: null, views: {} });
  await first.close();
  renameSync(plumbing.library, elsewhere);

  const moved = await studioOf(elsewhere);
  const [movedImage, movedLora] = [inside(elsewhere, image), inside(elsewhere, lora)];
  const movedLoras = [{ file: movedLora }, { file: near }];
  expect(moved.get(id)).toMatchObject({ inputImage: movedImage, settings: { image: movedImage, loras: movedLoras } });
  const column = (sql: string) => moved.database.prepare(sql).pluck().all();
  expect(column("SELECT path FROM kept_inputs")).toEqual([movedImage]);
  expect(column("SELECT path FROM discards")).toEqual([`${movedImage}-gone`]);
  expect(moved.form.session().values).toMatchObject({ prompt: image, image: movedImage, loras: movedLoras });
});

test("a library that is opened under two names is one library", async () => {
  symlinkSync(plumbing.library, elsewhere);
  const byName = await studioOf(plumbing.library);
  const first = await generated(byName, 1);
  const byLink = await studioOf(elsewhere);
  const second = await generated(byLink, 2);
  expect(byName.get(first.id)!.video!.path).toBe(first.video!.path);
  for (const [studio, job] of [
    [byLink, first],
    [byName, second],
  ] as const) {
    const history = historyChannels(studio);
    await history["history:delete"]({ jobIds: [job.id] }, door);
    await history["history:purge"]({ jobIds: [job.id] }, door);
    expect(existsSync(job.video!.path)).toBe(false);
  }
  const third = await generated(byLink, 3);
  await byName.close();
  await byLink.close();
  rmSync(elsewhere);
  renameSync(plumbing.library, elsewhere);
  expect((await studioOf(elsewhere)).get(third.id)!.video!.path).toBe(third.video!.path);
});

test("the queue of a copy is its own, while another process runs the original's", async () => {
  await closedLibrary();
  const original = await studioOf(plumbing.library);
  original.run();
  const lease = () => original.database.prepare("SELECT token FROM runner_lease").get();
  await until(() => lease() !== undefined, "the lease");
  original.database.pragma("wal_checkpoint(TRUNCATE)");
  cpSync(plumbing.library, elsewhere, { recursive: true });
  const copy = await studioOf(elsewhere);
  expect(copy.queue.state().elsewhere).toBe(false);
  expect((await generated(copy, 5)).state).toBe("done");
});
