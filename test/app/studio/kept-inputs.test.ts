// Input pictures in the library: a job's copy outlives its source, is shared, and goes when nobody uses it any more. The demo
// model plays one that starts from pictures, up to the moment at which a job would run.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Job } from "../../../contract/job.ts";
import type { ModelChoice } from "../../../contract/models.ts";
import { EngineClient } from "../../../app/engine/client.ts";
import { LibraryFiles } from "../../../app/jobs/library-files.ts";
import { acceptRequest } from "../../../app/studio/accept.ts";
import { LocalModels } from "../../../app/studio/local-models.ts";
import { LocalQueue } from "../../../app/studio/local-queue.ts";
import { LocalCore } from "../../../app/studio/studio-core.ts";
import { historyChannels } from "../../../app/channels/history-channels.ts";
import { mediaResponse } from "../../../app/channels/media-response.ts";
import { studioMedia } from "../../../app/channels/studio-media.ts";
import { openDatabase } from "../../../app/history/database.ts";
import { migrations } from "../../../app/history/migrations/all.ts";
import { insertJobs } from "../../../app/history/writes/jobs.ts";
import { deleteResults, purgeResults, readDiscards } from "../../../app/history/writes/results.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { openDoor as door } from "../channels/open-door.ts";
import { Plumbing } from "../engine/plumbing.ts";
import { acceptedJob } from "../history/accepted-job.ts";

let plumbing: Plumbing;
let studio: Studio;
/** The acceptance of another process on the same library. */
let core: LocalCore;
let queue: LocalQueue;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
  core = new LocalCore(new LibraryFiles(plumbing.library), new EngineClient());
  const models = new LocalModels(core);
  const demo = await models.model({ name: "demo" });
  const takesPictures = { ...demo, id: "pictures", capabilities: [...demo.capabilities, "i2v" as const] };
  const source = {
    settled: (choice: ModelChoice) => Promise.resolve(choice),
    model: () => Promise.resolve(takesPictures),
    added: () => [takesPictures],
    findLoras: () => Promise.resolve([]),
  };
  queue = new LocalQueue(core, (request) => acceptRequest(request, core.engine, source));
});
afterEach(async () => {
  await core.stop();
  core.release();
  await studio.close();
});

/** A picture of one colour, somewhere outside the library. */
function picture(name: string, level: number): string {
  const path = plumbing.file(name);
  writeFileSync(path, encode({ width: 4, height: 4, channels: 3, data: new Uint8Array(48).fill(level) }));
  return path;
}

const inputs = () => readdirSync(join(plumbing.library, "inputs")).sort();
const draft = (imagePath?: string) => ({
  values: { prompt: "a red ball", model: "pictures" },
  ...(imagePath === undefined ? {} : { imagePath }),
});

async function accepted(imagePath: string): Promise<Job> {
  const [job] = await queue.add([draft(imagePath)]);
  return job!;
}

async function purge(...jobIds: number[]): Promise<void> {
  const history = historyChannels(studio);
  for (const id of jobIds) studio.cancel(id);
  await history["history:delete"]({ jobIds }, door);
  await history["history:purge"]({ jobIds }, door);
}

test("a job's picture is in the library before its row, under the name of what it holds, and is served from there", async () => {
  const path = picture("cat.png", 200);
  const bytes = readFileSync(path);
  const job = await accepted(path);
  const name = `${createHash("sha256").update(bytes).digest("hex")}.png`;
  expect(job.inputImage).toBe(join(plumbing.library, "inputs", name));
  expect(job.settings.image).toBe(job.inputImage);
  rmSync(path);
  const request = new Request(`http://localhost/media/input/${job.id}`);
  const answer = await mediaResponse(request, { media: (item) => studioMedia(studio, item) });
  expect(answer.headers.get("content-type")).toBe("image/png");
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  expect((await accepted(job.inputImage!)).inputImage).toBe(job.inputImage);
});

test("the same picture lies there once and goes with the last job that uses it; pictures elsewhere never go", async () => {
  const first = await accepted(picture("one.png", 10));
  const second = await accepted(picture("one-again.png", 10));
  const other = await accepted(picture("two.png", 20));
  expect(inputs()).toHaveLength(2);
  await purge(first.id);
  expect(inputs()).toHaveLength(2);
  await purge(second.id);
  expect(inputs().map((name) => join(plumbing.library, "inputs", name))).toEqual([other.inputImage]);

  const outside = picture("outside.png", 30);
  const settings = { ...acceptedJob("a cat").settings, image: outside };
  const [old = 0] = insertJobs(studio.database, [acceptedJob("a cat", { settings })]);
  await purge(old);
  expect(existsSync(outside)).toBe(true);
});

test("a job that is edited lets its former picture go", async () => {
  const job = await accepted(picture("one.png", 10));
  const edited = await queue.edit(job.id, draft(picture("two.png", 20)));
  expect(edited.inputImage).not.toBe(job.inputImage);
  expect(readDiscards(studio.database)).toEqual([{ path: job.inputImage, keepsake: false }]);
  await queue.edit(job.id, draft());
  expect(readDiscards(studio.database)).toHaveLength(2);
  await purge(job.id);
  expect(inputs()).toEqual([]);
});

test("a picture wanted again between a purge and the removal of its files stays", async () => {
  const path = picture("one.png", 10);
  const first = await accepted(path);
  studio.cancel(first.id);
  deleteResults(studio.database, [first.id]);
  purgeResults(studio.database, [first.id]);
  expect(readDiscards(studio.database)).toHaveLength(1);
  const second = await accepted(path);
  await historyChannels(studio)["history:purge"]({ jobIds: [] }, door);
  expect(existsSync(second.inputImage!)).toBe(true);
});

test("what is no picture is refused in one sentence, and nothing is accepted", async () => {
  const text = plumbing.file("words.png");
  writeFileSync(text, "words");
  const folder = join(plumbing.folder, "folder.png");
  mkdirSync(folder);
  for (const path of [text, folder, join(plumbing.folder, "none.png")])
    await expect(accepted(path)).rejects.toMatchObject({ code: "file.unreadable" });
  const values = { prompt: "a red ball", model: "demo" };
  const image = studio.queue.add([{ values, imagePath: picture("one.png", 10) }]);
  await expect(image).rejects.toMatchObject({
    message: expect.stringContaining("cannot start from an image") as string,
  });
  expect(studio.list()).toEqual([]);
});

test("migration 0050 keeps the pictures of older jobs where they are", () => {
  const path = join(plumbing.folder, "older.db");
  const before = openDatabase(path, migrations.slice(0, 4));
  const settings = { ...acceptedJob("a cat").settings, image: "/pictures/cat.png" };
  const [id = 0] = insertJobs(before, [acceptedJob("a cat", { settings })]);
  before.prepare("UPDATE jobs SET state = 'done' WHERE id = ?").run(id);
  before.close();
  const after = openDatabase(path);
  deleteResults(after, [id]);
  purgeResults(after, [id]);
  expect(readDiscards(after)).toEqual([]);
  const plan = after.prepare("EXPLAIN QUERY PLAN SELECT 1 FROM jobs WHERE input_image = ? LIMIT 1").all("x");
  expect(JSON.stringify(plan)).toContain("jobs_by_input");
  after.close();
});
