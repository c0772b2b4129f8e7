// The studio with the real engine and the demo model: same bits after any interruption, nothing lost, nothing half made.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Job } from "../../../contract/job.ts";
import { allowedInterruptions } from "../../../app/history/writes/lease.ts";
import { findModel } from "../../../app/models/catalogue.ts";
import { readSettings } from "../../../app/media/mp4.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { JobRequest, Studio } from "../../../app/studio/studio.ts";
import { isAlive, until, soon } from "../../app/engine/plumbing.ts";
import { probe } from "../../app/media/encoded-clip.ts";
import { engineOf } from "../engine-of.ts";

const prompt = "A large red ball bounces on a blue background";
const program = fileURLToPath(new URL("wait-for-queue.ts", import.meta.url));

let folder = "";
let studio: Studio;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-studio-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const library = () => join(folder, "library");
beforeEach(async () => {
  rmSync(library(), { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: library() });
});
afterEach(() => studio.close());

const request = (settings: JobRequest["settings"] = {}): JobRequest => ({
  prompt,
  settings: { seed: 42, ...settings },
});
const generate = async (settings?: JobRequest["settings"]) => studio.wait((await studio.enqueue(request(settings))).id);
const latents = (job: Job) => readFileSync(studio.get(job.id)!.latentsPath!).toString("base64");
const pictures = (job: Job) =>
  execFileSync("ffmpeg", ["-v", "error", "-i", job.video!.path, "-f", "md5", "-"]).toString();

describe("a video", () => {
  test("of the demo model is whole and the same each time; a second job finds the model warm", async () => {
    const [first, second] = [await generate(), await generate()];
    for (const job of [first, second]) {
      expect(job).toMatchObject({ state: "done", error: null });
      expect(probe(job.video!.path)).toMatchObject({
        nb_read_frames: "17",
        avg_frame_rate: "16/1",
        pix_fmt: "yuv420p",
        color_range: "tv",
        color_space: "bt709",
      });
      expect((await readSettings(job.video!.path))?.settings).toEqual(job.settings);
    }
    expect(latents(second)).toBe(latents(first));
    expect(pictures(second)).toBe(pictures(first));
    const detail = studio.get(first.id)!;
    expect(detail.log.filter(({ line }) => line.startsWith("Int8 linear: blocks."))).toHaveLength(detail.int8!.layers);
    expect(detail.stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample", "decode", "save"]);
    expect(detail.stages.slice(0, 4).every(({ peakBytes, plannedBytes }) => peakBytes! > 0 && plannedBytes! > 0)).toBe(
      true,
    );
    const load = (job: Job) => studio.get(job.id)!.stages.find(({ stage }) => stage === "load")!.seconds;
    expect(load(second)).toBeLessThan(load(first));
  });

  test("decoded again from its latents shows the same pictures", async () => {
    const source = await generate();
    const again = await studio.wait((await studio.decodeAgain(source.id)).id);
    expect(again).toMatchObject({ state: "done", kind: "decode" });
    expect(pictures(again)).toBe(pictures(source));
  });

  test("whose engine is killed in the middle continues and comes out the same to the bit", async () => {
    const settings = { width: 192, height: 192, numFrames: 33 };
    const whole = await generate(settings);
    const { id } = await studio.enqueue(request(settings));
    const done = studio.wait(id);
    await until(() => studio.get(id)!.steps.length >= 2, "two steps");
    process.kill(engineOf(process.pid)!, "SIGKILL");
    const job = await done;
    expect(job).toMatchObject({ state: "done", attempts: 2 });
    expect(job.resumedFromStep).toBeGreaterThanOrEqual(2);
    expect(latents(job)).toBe(latents(whole));
    expect(pictures(job)).toBe(pictures(whole));
  });
});

describe("cancelling", () => {
  const large = { width: 480, height: 480, numFrames: 81, attentionType: "original" } as const;

  test.each([300, 900, 2000])("after %i ms of a large job ends it within a second", async (milliseconds) => {
    const { id } = await studio.enqueue(request(large));
    const controller = new AbortController();
    const done = studio.wait(id, { signal: controller.signal });
    await until(() => studio.get(id)!.state === "running", "the job to run");
    await sleep(milliseconds);
    const began = Date.now();
    controller.abort();
    expect((await done).state).toBe("cancelled");
    expect(Date.now() - began).toBeLessThan(soon);
    expect(readdirSync(join(library(), "videos"))).toEqual([]);
  });
});

describe("files that cannot run are refused before acceptance", () => {
  const demo = findModel("demo")!;
  function altered(source: string, name: string, change: (path: string) => void): string {
    const path = join(folder, name);
    copyFileSync(source, path);
    change(path);
    return path;
  }

  test.each<[string, () => JobRequest["model"], string]>([
    ["a VAE for a transformer", () => ({ name: "demo", ditPath: demo.files.vae }), "checkpoint.unsupported"],
    ["a transformer for a VAE", () => ({ vaePath: demo.files.dit }), "checkpoint.unsupported"],
    [
      "a picture",
      () => ({ name: "demo", ditPath: altered(demo.files.tokenizer, "picture.pth", () => {}) }),
      "checkpoint.",
    ],
    [
      "half a file",
      () => ({ vaePath: altered(demo.files.vae, "half.pth", (path) => truncateSync(path, 3_000_000)) }),
      "checkpoint.corrupt",
    ],
    [
      "an empty file",
      () => ({ vaePath: altered(demo.files.vae, "empty.pth", (path) => truncateSync(path, 0)) }),
      "checkpoint.",
    ],
  ])("%s", async (_what, model, code) => {
    const refused = studio.enqueue({ prompt, model: model()! });
    await expect(refused).rejects.toMatchObject({ code: expect.stringContaining(code) as string });
    expect(studio.list()).toEqual([]);
  });
});

describe("the whole program killed by force", () => {
  const jobCount = 4;
  /** As many as a job survives that finished no step in between, as on a slow machine it may not. */
  const rounds = allowedInterruptions;

  test("again and again at random moments: no row lost, no half file, the same bits in the end", async () => {
    const whole = await generate();
    const expected = latents(whole);
    rmSync(join(library(), "cache"), { recursive: true });
    const jobs = await studio.enqueueAll(Array.from({ length: jobCount }, () => request()));
    await studio.close();

    const chosen = randomNumbers(7);
    for (let round = 0; round < rounds; round++) {
      const runner = await start();
      await sleep(chosen() * 1800);
      const engineId = engineOf(runner.pid!);
      runner.kill("SIGKILL");
      if (runner.exitCode === null && runner.signalCode === null) await once(runner, "exit");
      if (engineId !== null) await until(() => !isAlive(engineId), "the engine to end");
      await expectNothingHalfDone(jobs);
    }
    const last = await start();
    if (last.exitCode === null) await once(last, "exit");

    studio = await openStudio({ libraryFolder: library() });
    for (const { id } of jobs) {
      const job = studio.get(id)!;
      expect(job).toMatchObject({ state: "done", error: null });
      expect(latents(job)).toBe(expected);
      expect(pictures(job)).toBe(pictures(whole));
      expect(existsSync(job.video!.posterPath)).toBe(true);
    }
    // One video and one poster a job, nothing else: an interrupted save was not done twice.
    expect(readdirSync(join(library(), "videos"))).toHaveLength(2 * (jobCount + 1));
    for (const part of ["videos", "latents", join("cache", "embeddings")])
      expect(readdirSync(join(library(), part)).filter((name) => /partial|\.part-/.test(name))).toEqual([]);
  });

  async function start(): Promise<ChildProcess> {
    const child = spawn(process.execPath, [program, library()], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    return child;
  }

  /** Every row is there, and every file under a final name is whole. */
  async function expectNothingHalfDone(jobs: readonly Job[]): Promise<void> {
    const looking = await openStudio({ libraryFolder: library() });
    for (const { id } of jobs) expect(looking.get(id)).toMatchObject({ prompt, seed: 42 });
    await looking.close();
    const videos = join(library(), "videos");
    for (const name of readdirSync(videos).filter((file) => /^[^.].*\.mp4$/.test(file))) {
      expect(await readSettings(join(videos, name))).toMatchObject({ rushes: 1 });
      expect(existsSync(join(videos, name.replace(".mp4", ".png")))).toBe(true);
    }
  }
});

/** Numbers in [0, 1) that are the same in every run (a linear congruential generator, Numerical Recipes). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
