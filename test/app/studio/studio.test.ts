// The studio around the engine: what is accepted, recorded, saved, resumed and refused. The engine itself is the
// plumbing addon; test/e2e/studio has the real one.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode as decodePng } from "fast-png";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cpuMayHelp, type Job, type JobEvent } from "../../../contract/job.ts";
import { openDatabase } from "../../../app/history/database.ts";
import { readJob } from "../../../app/history/reads/jobs.ts";
import { readSettings } from "../../../app/media/mp4.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { JobRequest, Studio } from "../../../app/studio/studio.ts";
import { Plumbing, until, soon } from "../engine/plumbing.ts";
import { probe } from "../media/encoded-clip.ts";

let plumbing: Plumbing;
let studio: Studio;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 20 });
  plumbing.clearNotes();
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
});
afterEach(() => studio.close());

const prompt = "A red ball bounces on a blue background";
const request = (changes: Partial<JobRequest> = {}): JobRequest => ({ prompt, ...changes });
const files = (dit: string) => ({
  ditPath: plumbing.file(dit),
  vaePath: plumbing.file("vae.pth"),
  textEncoderPath: plumbing.file("umt5.pth"),
  tokenizerPath: join(studio.models()[0]!.files.tokenizer),
});
const videos = () => readdirSync(join(plumbing.library, "videos")).sort();
async function generate(changes: Partial<JobRequest> = {}): Promise<Job> {
  return studio.wait((await studio.enqueue(request(changes))).id);
}

test("a first start's form lies on the default preset; a kept session is left as it is", async () => {
  expect(studio.form.session()).toEqual({ values: {}, presetId: null, views: {} });
  const id = await studio.presets.save("Mine", { numSteps: 2 });
  await studio.presets.setDefault(id);
  expect(studio.form.session()).toMatchObject({ values: {}, presetId: id });
  const { settings, sources } = await studio.form.check({ values: {}, presetId: studio.form.session().presetId });
  expect([settings.numSteps, sources.numSteps]).toEqual([2, "preset"]);
  studio.form.keepSession({ values: { numSteps: 3 }, presetId: null, views: {} });
  expect(studio.form.session()).toMatchObject({ values: { numSteps: 3 }, presetId: null });
});

test("of two windows each keeps what it changed, and a first start's preset stays until one is chosen", async () => {
  const id = await studio.presets.save("Mine", { numSteps: 2 });
  await studio.presets.setDefault(id);
  const other = await openStudio({ libraryFolder: plumbing.library });
  try {
    studio.form.keepSession({ views: { folded: true } });
    expect(studio.form.session()).toEqual({ values: {}, presetId: id, views: { folded: true } });
    other.form.keepSession({ values: { prompt }, presetId: null });
    studio.form.keepSession({ views: { filters: ["done"] } });
    const kept = { values: { prompt }, presetId: null, views: { folded: true, filters: ["done"] } };
    expect(other.form.session()).toEqual(kept);
  } finally {
    await other.close();
  }
});

describe("a job on a graphics card", () => {
  const error = {
    code: "gpu.lost",
    message: "The graphics card stopped working while sampling.",
    advice: "Try again.",
  };

  test("records the card and its memory, and goes on without it when it is lost", async () => {
    plumbing.script({ stepMs: 20, card: "A card", failInStep: 3, failure: error });
    const failed = await generate({ settings: { seed: 1 } });
    expect(failed).toMatchObject({ state: "failed", deviceName: "A card", error: { code: "gpu.lost" } });
    expect(cpuMayHelp(failed)).toBe(true);
    const again = studio.again(failed.id, { onCpu: true });
    expect(again).toMatchObject({ settings: { device: "cpu" }, deviceName: null });
    const done = await studio.wait(failed.id);
    expect(done).toMatchObject({ state: "done", deviceName: null, attempts: 2, resumedFromStep: 2 });
    expect(cpuMayHelp(done)).toBe(false);
    const bytes = studio.get(failed.id)!.stages.map((each) => [each.attempt, each.stage, each.deviceBytes]);
    expect(bytes.slice(0, 4)).toEqual([
      [1, "text", 600],
      [1, "load", 600],
      [1, "sample", 600],
      [2, "text", null],
    ]);
    expect(studio.get(failed.id)!.stages[2]).toMatchObject({ plannedDeviceBytes: 700, plannedBytes: 1000 });
  });

  test("is planned on the card's memory and the main memory", async () => {
    plumbing.script({ stepMs: 20, card: "A card" });
    const { plan } = await studio.form.check({ values: { prompt }, presetId: null });
    expect(plan?.device).toEqual({ name: "A card", peakBytes: 700, freeBytes: 5000 });
    expect(plan?.stages.map(({ peakBytes, deviceBytes }) => [peakBytes, deviceBytes])).toEqual(
      Array.from({ length: 4 }, () => [1000, 700]),
    );
    const withoutCard = await studio.form.check({ values: { prompt, device: "cpu" }, presetId: null });
    expect(withoutCard.plan?.device).toBeNull();
    expect(withoutCard.plan?.stages[0]?.deviceBytes).toBeNull();
  });
});

describe("a job", () => {
  test("becomes a video with its settings inside, a poster and a full record", async () => {
    const events: JobEvent[] = [];
    const accepted = await studio.enqueue(request({ settings: { seed: 42 } }));
    const job = await studio.wait(accepted.id, { onEvent: (event) => events.push(event), preview: true });
    expect(job).toMatchObject({ state: "done", seed: 42, attempts: 1, error: null, model: "demo", mode: "t2v" });
    const video = job.video!;
    expect(video.path).toMatch(/videos\/\d{4}-\d\d-\d\d_\d{6}_t2v_42\.mp4$/);
    expect(video).toMatchObject({ frames: 17, width: 128, height: 128, bytes: readFileSync(video.path).length });
    expect(probe(video.path)).toMatchObject({ nb_read_frames: "17", avg_frame_rate: "16/1" });
    expect(decodePng(readFileSync(video.posterPath))).toMatchObject({ width: 128, height: 128 });
    expect(await readSettings(video.path)).toEqual({ rushes: 1, job: job.uid, model: "demo", settings: job.settings });
    expect(job.settings).toMatchObject({ prompt, seed: 42, quantLinear: "int8", attentionType: "sagesla", threads: 2 });

    const detail = studio.get(job.id)!;
    expect(detail.stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample", "decode", "save"]);
    expect(detail.stages[2]).toMatchObject({ seconds: 0.1, peakBytes: 900, plannedSeconds: 0.1, plannedBytes: 1000 });
    expect(detail.steps.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(detail.log.map(({ line }) => line)).toEqual([
      "Int8 linear: blocks.0.self_attn.q [256x256]",
      "int8 on 80 linear layers",
    ]);
    expect(detail.warnings).toEqual(["The engine warns."]);
    expect(detail.int8).toEqual({ layers: 80, bytes16: 200, bytes: 100 });
    expect(detail.plannedPeakBytes).toBe(1000);
    expect(existsSync(job.latentsPath!)).toBe(true);
    expect(videos()).toHaveLength(2);

    const states = events.filter((event) => event.kind === "state").map(({ state }) => state);
    expect(states).toEqual(["running", "done"]);
    const progress = events.filter((event) => event.kind === "progress").map((event) => event.progress);
    const overall = progress.map((each) => each.overall);
    expect(overall).toEqual([...overall].sort((a, b) => a - b));
    expect(overall.at(-1)).toBe(1);
    expect(progress.find(({ stage }) => stage === "sample")).toMatchObject({ step: 1, steps: 4 });
    expect(events.filter((event) => event.kind === "preview")).toHaveLength(3);
  });

  test("stands in the history before its acceptance is reported", async () => {
    const { id } = await studio.enqueue(request());
    const other = openDatabase(join(plumbing.library, "rushes.db"));
    expect(readJob(other, id)).toMatchObject({ state: "queued", prompt });
    other.close();
  });

  test("without a seed gets one, which is stored; with samples each gets the next", async () => {
    const { seed } = await studio.enqueue(request());
    expect(Number.isSafeInteger(seed)).toBe(true);
    const jobs = await studio.enqueueAll([request({ settings: { seed: 7, numSamples: 3 } })]);
    expect(jobs.map((job) => job.seed)).toEqual([7, 8, 9]);
    expect(jobs.map((job) => job.settings.numSamples)).toEqual([1, 1, 1]);
  });

  test("encodes a prompt once for all its samples", async () => {
    await generate({ settings: { seed: 1 } });
    await generate({ settings: { seed: 2 } });
    expect(readdirSync(join(plumbing.library, "cache", "embeddings"))).toHaveLength(1);
  });

  test("says when its prompt is cut or very short", async () => {
    const long = await studio.check(request({ prompt: "red ball ".repeat(100) }));
    expect(long).toMatchObject({ cut: true });
    expect(long.ids).toHaveLength(64);
    expect(long.warnings.join()).toMatch(/longer than the 64 tokens/);
    expect((await studio.check(request({ prompt: "ball" }))).warnings.join()).toMatch(/very short/);
    expect((await studio.check(request())).warnings).toEqual([]);
  });

  test("says that a transformer without SLA weights may be a base model, and keeps that with the result", async () => {
    const remark = /^plain\.pth has no sparse attention weights\. .* its video will be blurred\.$/;
    expect((await generate({ model: files("plain.pth") })).warnings).toContainEqual(expect.stringMatching(remark));
    const { warnings } = await generate({ model: files("other.pth") });
    expect(warnings.join()).not.toContain("sparse attention");
  });

  test("two videos of one second and seed keep both", async () => {
    const [first, second] = await studio.enqueueAll([
      request({ settings: { seed: 5 } }),
      request({ settings: { seed: 5 } }),
    ]);
    await studio.wait(second!.id);
    const paths = [first, second].map((job) => studio.get(job!.id)?.video?.path ?? "");
    expect(paths[1]).toBe(paths[0]!.replace(".mp4", "-2.mp4"));
    expect(paths.every(existsSync)).toBe(true);
  });

  test("can be found by its words and listed", async () => {
    await studio.enqueueAll([request(), request({ prompt: "一个红色的球在蓝色背景上弹跳" })]);
    expect(studio.search("bounc red").map((job) => job.prompt)).toEqual([prompt]);
    expect(studio.search("蓝色")).toHaveLength(1);
    expect(studio.list({ limit: 1 })[0]?.prompt).toMatch(/红/);
  });
});

describe("requests that are refused leave no row", () => {
  test.each<[string, () => Partial<JobRequest>, string]>([
    ["an empty prompt", () => ({ prompt: "" }), "settings.invalid"],
    ["a prompt of blanks", () => ({ prompt: " \n " }), "settings.invalid"],
    ["a prompt of 10,000 characters", () => ({ prompt: "x".repeat(10_000) }), "settings.invalid"],
    ["an unknown model", () => ({ model: { name: "wan9" } }), "model.unknown"],
    ["frames that are not 4n+1", () => ({ settings: { numFrames: 18 } }), "settings.invalid"],
    ["a width that is no multiple of 16", () => ({ settings: { width: 100 } }), "settings.invalid"],
    ["top-k 0", () => ({ settings: { slaTopk: 0 } }), "settings.invalid"],
    ["a negative sigma", () => ({ settings: { sigmaMax: -1 } }), "settings.invalid"],
    ["an image that is not there", () => ({ settings: { image: "/a.png" } }), "file.unreadable"],
    ["a missing file", () => ({ model: { ditPath: "/none.pth", name: "demo" } }), "checkpoint.missing"],
    ["a folder for a file", () => ({ model: { ditPath: plumbing.folder, name: "demo" } }), "checkpoint.unsupported"],
    ["a damaged file", () => ({ model: files("corrupt.pth") }), "checkpoint.corrupt"],
    ["a partial file", () => ({ model: files("partial.pth") }), "checkpoint.incomplete"],
    ["another architecture", () => ({ model: files("refused.pth") }), "checkpoint.unsupported"],
    [
      "no tokenizer",
      () => ({ model: { ...files("x.pth"), textEncoderPath: plumbing.file("alone/umt5.pth"), tokenizerPath: "" } }),
      "tokenizer.missing",
    ],
    [
      "int8 weights with quant linear off",
      () => ({ model: files("q-quant.pth"), settings: { quantLinear: "off" } }),
      "settings.invalid",
    ],
    [
      "sla without its weights",
      () => ({ model: files("plain.pth"), settings: { attentionType: "sla" } }),
      "settings.invalid",
    ],
    ["a copy into a file's folder", () => ({ savePath: join(plumbing.file("wall"), "copy.mp4") }), "file.unwritable"],
    ["a copy where nothing can be made", () => ({ savePath: "/proc/none/copy.mp4" }), "file.unwritable"],
  ])("%s", async (_what, changes, code) => {
    await expect(studio.enqueue(request(changes()))).rejects.toMatchObject({ code });
    expect(studio.list()).toEqual([]);
  });

  test("and so does a seed without room for its samples", async () => {
    const batch = studio.enqueueAll([request({ settings: { seed: 2 ** 53 - 1, numSamples: 2 } })]);
    await expect(batch).rejects.toMatchObject({ code: "settings.invalid" });
    expect(studio.list()).toEqual([]);
  });

  test("and so does the whole batch when one of it is refused", async () => {
    const batch = studio.enqueueAll([request(), request({ prompt: "" })]);
    await expect(batch).rejects.toMatchObject({ code: "settings.invalid" });
    expect(studio.list()).toEqual([]);
  });
});

describe("automatic choices", () => {
  test("quant linear off runs the demo's 16-bit file", async () => {
    const job = await studio.enqueue(request({ settings: { quantLinear: "off" } }));
    expect(job.files.dit).toMatch(/demo-t2v\.pth$/);
    expect(job.settings.quantLinear).toBe("off");
  });

  test("values that do nothing for the model are said and recorded", async () => {
    const job = await studio.enqueue(request({ settings: { negativePrompt: "blurry", guidanceScale: 5 } }));
    expect(job.settings).toMatchObject({ negativePrompt: "blurry", guidanceScale: 5 });
    expect(job.warnings.join()).toMatch(/not used by this model/);
  });
});

describe("failures", () => {
  const failure = { code: "output.not_finite", message: "Block 3, step 2.", advice: "Try fp32.", detail: "d" };

  test("are kept with the job and do not stop the next one", async () => {
    plumbing.script({ stepMs: 20, failInStep: 2, failure });
    const job = await generate();
    expect(job).toMatchObject({
      state: "failed",
      error: { code: "output.not_finite", sentence: "Block 3, step 2.", advice: "Try fp32.", detail: "d" },
    });
    expect(studio.get(job.id)?.stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample"]);
    expect(videos()).toEqual([]);
    plumbing.script({ stepMs: 20 });
    expect((await generate()).state).toBe("done");
  });

  test("a failed job that is asked for again continues from its last finished step", async () => {
    plumbing.script({ stepMs: 20, failInStep: 3, failure });
    const { id } = await generate();
    plumbing.script({ stepMs: 20 });
    expect(studio.again(id).state).toBe("queued");
    expect(await studio.wait(id)).toMatchObject({ state: "done", attempts: 2, resumedFromStep: 2, error: null });
    expect(plumbing.notes().filter((line) => line.startsWith("generate"))).toEqual([
      "generate from 0",
      "generate from 2",
    ]);
  });

  test("an engine that gives too few frames leaves no video", async () => {
    plumbing.script({ stepMs: 20, frameLoss: true });
    expect(await generate()).toMatchObject({ state: "failed", error: { code: "engine.internal" } });
    expect(videos()).toEqual([]);
  });

  test("videos that cannot be written fail the job, and nothing is half written", async () => {
    const { id } = await studio.enqueue(request());
    rmSync(join(plumbing.library, "videos"), { recursive: true });
    writeFileSync(join(plumbing.library, "videos"), "in the way");
    expect(await studio.wait(id)).toMatchObject({ state: "failed", error: { code: "file.unwritable" } });
    rmSync(join(plumbing.library, "videos"));
    studio.again(id);
    expect(await studio.wait(id)).toMatchObject({ state: "done" });
    // The latents were kept: only decoding was left.
    expect(plumbing.notes().slice(-1)).toEqual(["decode"]);
  });

  test("a full disk fails the job with its code, and nothing is half written", async ({ skip }) => {
    const disk = plumbing.smallDisk("2m");
    if (!disk) return skip("no right to mount a small file system");
    const small = await openStudio({ libraryFolder: disk.folder });
    try {
      plumbing.script({ stepMs: 20, decodeMs: 1000 });
      const { id } = await small.enqueue(request());
      const failed = small.wait(id);
      await until(() => small.get(id)?.progress?.stage === "decode", "decoding to begin");
      const ballast = fill(disk.folder);
      expect(await failed).toMatchObject({ state: "failed", error: { code: "disk.full" }, video: null });
      expect(readdirSync(join(disk.folder, "videos"))).toEqual([]);

      // Not even the history can be written: no job is accepted.
      fill(disk.folder);
      await expect(small.enqueue(request())).rejects.toMatchObject({ code: "disk.full" });
      for (const path of ballast) rmSync(path);
      small.again(id);
      expect(await small.wait(id)).toMatchObject({ state: "done" });
    } finally {
      await small.close();
      disk.unmount();
    }
  });
});

/** Fills a file system to its last page; gives the files that do it. */
function fill(folder: string): string[] {
  const paths: string[] = [];
  for (let kilobytes = 64; kilobytes >= 4; kilobytes /= 2) {
    for (;;) {
      const path = join(folder, `ballast-${paths.length}-${Math.random()}`);
      try {
        writeFileSync(path, Buffer.alloc(kilobytes << 10));
        paths.push(path);
      } catch {
        rmSync(path, { force: true });
        break;
      }
    }
  }
  return paths;
}

describe("the extra copy", () => {
  test("in a folder never overwrites", async () => {
    const folder = join(plumbing.folder, "copies");
    const [first, second] = await studio.enqueueAll(
      [1, 2].map(() => request({ savePath: `${folder}/`, settings: { seed: 3 } })),
    );
    await studio.wait(first!.id);
    writeFileSync(join(folder, readdirSync(folder)[0]!.replace(".mp4", "-2.mp4")), "the user's own");
    const copied = await studio.wait(second!.id);
    expect(copied.video?.copyPath).toMatch(/_t2v_3-2-2\.mp4$/);
    expect(readdirSync(folder)).toHaveLength(3);
  });

  test("under a name of the user's replaces that file; several samples get names of their own", async () => {
    const path = join(plumbing.folder, "mine.mp4");
    writeFileSync(path, "old");
    const jobs = await studio.enqueueAll([request({ savePath: path, settings: { numSamples: 2 } })]);
    for (const { id } of jobs) expect(await studio.wait(id)).toMatchObject({ state: "done" });
    expect(jobs.map(({ id }) => studio.get(id)?.video?.copyPath)).toEqual([path, path.replace(".mp4", "-2.mp4")]);
    expect(probe(path).nb_read_frames).toBe("17");
  });

  test("may have as long a name as the disk takes; a longer one is refused before anything is accepted", async () => {
    const named = (name: string) => join(plumbing.folder, "names", name);
    const chinese = named(`${"红".repeat(70)}.mp4`);
    const job = await generate({ savePath: chinese });
    expect(job).toMatchObject({ state: "done", video: { copyPath: chinese } });
    const refused = { code: "file.unwritable", advice: "Choose a shorter name." };
    const count = studio.list().length;
    for (const name of ["红".repeat(100), "a".repeat(253), `${"a".repeat(296)}.mp4`])
      await expect(studio.enqueue(request({ savePath: named(name) }))).rejects.toMatchObject(refused);
    // The second sample's is two letters longer.
    const samples = request({ savePath: named(`${"a".repeat(251)}.mp4`), settings: { numSamples: 2 } });
    await expect(studio.enqueueAll([samples])).rejects.toMatchObject(refused);
    expect(studio.list()).toHaveLength(count);
    expect(readdirSync(join(plumbing.folder, "names"))).toHaveLength(1);
  });

  test("that cannot be written fails the job, whose video stays", async () => {
    const target = join(plumbing.folder, "later", "copy.mp4");
    const { id } = await studio.enqueue(request({ savePath: target }));
    rmSync(join(plumbing.folder, "later"), { recursive: true });
    writeFileSync(join(plumbing.folder, "later"), "in the way");
    const job = await studio.wait(id);
    expect(job).toMatchObject({ state: "failed", error: { code: "file.unwritable" } });
    expect(job.error?.sentence).toContain(job.video!.path);
    expect(existsSync(job.video!.path)).toBe(true);
    // Asked for again, it only makes the copy.
    rmSync(join(plumbing.folder, "later"));
    studio.again(id);
    expect(await studio.wait(id)).toMatchObject({ state: "done", video: { path: job.video!.path, copyPath: target } });
    expect(videos()).toHaveLength(2);
  });
});

describe("a folder of the library that is deleted while it is open", () => {
  test.each(["cache", "latents", "inputs", "videos"])("is there again for the next job: %s", async (name) => {
    await generate();
    rmSync(join(plumbing.library, name), { recursive: true });
    const job = await generate({ prompt: `a ball without ${name}` });
    expect(job).toMatchObject({ state: "done", error: null });
  });
});

describe("an engine that dies", () => {
  test("costs no finished step: the job continues once, and says so", async () => {
    plumbing.script({ stepMs: 20, crashInStep: 3 });
    const job = await generate();
    expect(job).toMatchObject({ state: "done", attempts: 2, resumedFromStep: 2 });
    const detail = studio.get(job.id)!;
    expect(detail.changes.map(({ state }) => state)).toEqual(["queued", "running", "queued", "running", "done"]);
    expect(detail.changes[2]?.note).toMatch(/engine's process ended/);
    expect(detail.log.map(({ line }) => line)).toContain("Continues after step 2.");
    expect(new Set(detail.stages.map(({ attempt }) => attempt))).toEqual(new Set([1, 2]));
    expect(readFileSync(join(plumbing.library, "logs", "engine.log"), "utf8")).toContain("the plumbing gives way");
  });

  test("twice fails the job, not the studio", async () => {
    plumbing.script({ stepMs: 20, crashAlways: 3 });
    expect(await generate()).toMatchObject({ state: "failed", attempts: 2, error: { code: "engine.crashed" } });
    plumbing.script({ stepMs: 20 });
    expect((await generate()).state).toBe("done");
  });

  test("before anything was done fails the job at once", async () => {
    plumbing.script({ stepMs: 20, crashInStep: 1 });
    expect(await generate()).toMatchObject({ state: "failed", attempts: 1, error: { code: "engine.crashed" } });
  });
});

describe("cancelling", () => {
  test("a running job ends it within a second and leaves nothing beside the videos", async () => {
    plumbing.script({ stepMs: 30_000 });
    const { id } = await studio.enqueue(request());
    const controller = new AbortController();
    const done = studio.wait(id, { signal: controller.signal });
    await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    const began = Date.now();
    controller.abort();
    expect(await done).toMatchObject({ state: "cancelled", video: null });
    expect(Date.now() - began).toBeLessThan(soon);
    expect(videos()).toEqual([]);
  });

  test("a queued job keeps it from running; an unknown one is job.unknown", async () => {
    const [first, second] = await studio.enqueueAll([request(), request()]);
    studio.cancel(second!.id);
    expect(await studio.wait(first!.id)).toMatchObject({ state: "done" });
    expect(await studio.wait(second!.id)).toMatchObject({ state: "cancelled", attempts: 0 });
    expect(() => studio.cancel(99)).toThrow(expect.objectContaining({ code: "job.unknown" }));
    await expect(studio.wait(99)).rejects.toMatchObject({ code: "job.unknown" });
  });

  test("a wait that is aborted before it begins cancels the job", async () => {
    const { id } = await studio.enqueue(request());
    expect(await studio.wait(id, { signal: AbortSignal.abort() })).toMatchObject({ state: "cancelled" });
  });
});

describe("decoding again", () => {
  test("makes another video from the saved latents, without sampling", async () => {
    const source = await generate({ settings: { seed: 11 } });
    plumbing.clearNotes();
    const again = await studio.decodeAgain(source.id);
    expect(again).toMatchObject({ kind: "decode", sourceJobId: source.id, seed: 11, prompt });
    // What the source's decode took, not what all of it was expected to take.
    const decoded = studio.get(source.id)!.stages.find(({ stage }) => stage === "decode")!;
    expect(again.expectedSeconds).toBe(decoded.seconds);
    expect(again.expectedSeconds).not.toBe(source.expectedSeconds);
    const job = await studio.wait(again.id);
    expect(job).toMatchObject({ state: "done" });
    expect(job.video?.path).not.toBe(source.video?.path);
    expect(plumbing.notes()).toEqual(["decode"]);
  });

  test("needs latents that are there", async () => {
    const source = await generate();
    rmSync(source.latentsPath!);
    await expect(studio.decodeAgain(source.id)).rejects.toMatchObject({ code: "latents.missing" });
    await expect(studio.decodeAgain(99)).rejects.toMatchObject({ code: "job.unknown" });
  });
});

describe("several studios on one library", () => {
  test("one runs the queue; the other accepts, follows and cancels", async () => {
    // Long steps until all that has to happen meanwhile has happened.
    plumbing.script({ stepMs: 2000 });
    const other = await openStudio({ libraryFolder: plumbing.library });
    try {
      await other.check(request());
      const first = await studio.enqueue(request());
      const running = studio.wait(first.id);
      await until(() => studio.get(first.id)?.state === "running", "the first job to run");
      const second = await other.enqueue(request());
      const third = await other.enqueue(request());
      const heard: JobEvent[] = [];
      const followed = other.wait(first.id, { onEvent: (event) => heard.push(event) });
      other.cancel(third.id);
      await until(() => heard.some((event) => event.kind === "progress"), "the other to hear of the progress");
      plumbing.script({ stepMs: 20 });
      expect((await followed).state).toBe("done");
      expect((await running).state).toBe("done");
      expect(heard.at(-1)).toMatchObject({ kind: "state", state: "done" });
      // Whichever of the two runs it, it runs once.
      expect((await other.wait(second.id)).state).toBe("done");
      expect((await other.wait(third.id)).state).toBe("cancelled");
      expect(plumbing.notes().filter((line) => line.startsWith("generate"))).toHaveLength(2);
    } finally {
      await other.close();
    }
  });

  test("a running job is cancelled from the other one within a second", async () => {
    plumbing.script({ stepMs: 30_000 });
    const other = await openStudio({ libraryFolder: plumbing.library });
    try {
      const { id } = await studio.enqueue(request());
      const done = studio.wait(id);
      await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
      const began = Date.now();
      other.cancel(id);
      expect((await done).state).toBe("cancelled");
      expect(Date.now() - began).toBeLessThan(soon);
    } finally {
      await other.close();
    }
  });
});

describe("closing", () => {
  test("puts the running job back; the next studio continues it", async () => {
    plumbing.script({ stepMs: 1000 });
    const { id } = await studio.enqueue(request());
    const waiting = studio.wait(id);
    const ended = expect(waiting).rejects.toMatchObject({ code: "job.interrupted" });
    await until(() => (studio.get(id)?.steps.length ?? 0) >= 2, "two steps");
    await studio.close();
    await ended;
    studio = await openStudio({ libraryFolder: plumbing.library });
    expect(studio.get(id)?.changes.at(-1)).toMatchObject({ state: "queued", note: "the program was closed" });
    plumbing.script({ stepMs: 20 });
    const job = await studio.wait(id);
    expect(job.state).toBe("done");
    expect(job.resumedFromStep).toBeGreaterThanOrEqual(2);
  });

  test("twice, or before anything was opened, is nothing", async () => {
    const idle = await openStudio({ libraryFolder: join(plumbing.folder, "never") });
    await idle.close();
    await idle.close();
    expect(existsSync(join(plumbing.folder, "never"))).toBe(false);
  });
});
