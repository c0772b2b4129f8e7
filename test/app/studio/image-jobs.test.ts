// Jobs that begin with a picture, from the request to the engine. Real history, queue, pictures and engine process; the engine
// in it is the plumbing addon, which says what it was given.
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { encode } from "fast-png";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Job } from "../../../contract/job.ts";
import type { Settings } from "../../../contract/settings/derive.ts";
import { readSettings } from "../../../app/media/video-record.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing } from "../engine/plumbing.ts";

let plumbing: Plumbing;
let studio: Studio;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 20 });
  plumbing.clearNotes();
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
  await studio.installedModels.add(pictureModel());
});
afterEach(() => studio.close());

/** A folder with two experts that begin with a picture, as its manifest says. */
function pictureModel(changes: object = {}, name = "moving-pictures"): string {
  const folder = join(plumbing.folder, name);
  mkdirSync(folder, { recursive: true });
  for (const file of ["i2v-high.pth", "i2v-low.pth", "i2v-high-quant.pth", "t2v.pth", "vae.pth", "umt5.pth"])
    writeFileSync(join(folder, file), "");
  const manifest = {
    name: "Moving Pictures",
    architecture: "wan2.2-i2v",
    dit: "i2v-high.pth",
    ditLow: "i2v-low.pth",
    vae: "vae.pth",
    textEncoder: "umt5.pth",
    tokenizer: relative(folder, join(import.meta.dirname, "../../../models/demo/tokenizer.json")),
    sizes: [[128, 128]],
    defaults: { width: 128, height: 128, numFrames: 17 },
    ...changes,
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  return folder;
}

/** A red picture, somewhere outside the library. */
function picture(width = 8, height = 8, name = `red-${width}x${height}.png`): string {
  const path = plumbing.file(name);
  const data = Uint8Array.from({ length: 3 * width * height }, (_, at) => (at % 3 === 0 ? 255 : 0));
  writeFileSync(path, encode({ width, height, channels: 3, data }));
  return path;
}

const request = (settings: Partial<Settings> = {}) => ({
  prompt: "A red ball rolls",
  settings: { seed: 1, ...settings },
});

async function run(settings: Partial<Settings> = {}): Promise<Job> {
  const { id } = await studio.enqueue(request({ image: picture(), ...settings }));
  return studio.wait(id);
}

const stagesOf = (job: Job) => studio.get(job.id)!.stages.map(({ stage }) => stage);

describe("a job with a picture", () => {
  test("opens both experts, gives the engine the picture as RGB of the job's size, and records its stage", async () => {
    const job = await run();
    expect(job).toMatchObject({ state: "done", mode: "i2v", model: "moving-pictures", error: null });
    expect(plumbing.notes()).toEqual(
      expect.arrayContaining(["open i2v-high.pth and i2v-low.pth", `picture of ${128 * 128 * 3} bytes, 255 0 0`]),
    );
    expect(stagesOf(job)).toEqual(["text", "image", "load", "sample", "decode", "save"]);
    expect(job.progress?.shares).toHaveProperty("image");
    expect(job.files.ditLow).toBe(join(plumbing.folder, "moving-pictures", "i2v-low.pth"));
    expect(job.settings).toMatchObject({ boundary: 0.9, sigmaMax: 200, width: 128, height: 128 });
  });

  test("one of text has no such stage, before it runs and after", async () => {
    const { id } = await studio.enqueue(request());
    const job = await studio.wait(id);
    expect(job).toMatchObject({ state: "done", mode: "t2v", model: "demo" });
    expect(stagesOf(job)).toEqual(["text", "load", "sample", "decode", "save"]);
    expect(job.progress?.shares).not.toHaveProperty("image");
    expect(job.files).not.toHaveProperty("ditLow");
  });

  test("reads its picture again when it continues after the engine's end, and needs none to be decoded again", async () => {
    plumbing.script({ stepMs: 20, crashInStep: 3 });
    const job = await run();
    expect(job).toMatchObject({ state: "done", attempts: 2, resumedFromStep: 2 });
    expect(plumbing.notes().filter((note) => note.startsWith("picture"))).toHaveLength(2);
    plumbing.clearNotes();
    for (const name of readdirSync(join(plumbing.library, "inputs"))) rmSync(join(plumbing.library, "inputs", name));
    const again = await studio.decodeAgain(job.id);
    expect(await studio.wait(again.id)).toMatchObject({ state: "done", kind: "decode" });
    expect(plumbing.notes().filter((note) => note.startsWith("picture"))).toEqual([]);
  });

  test("fails in one sentence when the library's copy of its picture is gone or damaged", async () => {
    studio.queue.pause();
    const [gone, damaged] = await studio.enqueueAll([
      request({ image: picture(8, 8, "a.png") }),
      request({ image: picture(16, 16, "b.png") }),
    ]);
    rmSync(gone!.inputImage!);
    writeFileSync(damaged!.inputImage!, "words");
    studio.queue.resume();
    expect(await studio.wait(gone!.id)).toMatchObject({
      state: "failed",
      error: { code: "file.unreadable", sentence: "The picture this job begins with is gone." },
    });
    expect(await studio.wait(damaged!.id)).toMatchObject({ state: "failed", error: { code: "file.unreadable" } });
  });
});

test("a picture that is cut off is refused before there is a job", async () => {
  const path = picture(64, 64, "cut.png");
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length - 40));
  await expect(studio.enqueue(request({ image: path }))).rejects.toMatchObject({ code: "file.unreadable" });
  expect(studio.list()).toEqual([]);
});

test("copies of pictures that no job came to name go when a program begins to run jobs, but not young ones", async () => {
  const inputs = join(plumbing.library, "inputs");
  const long = (name: string, hours: number) => {
    writeFileSync(join(inputs, name), "");
    utimesSync(join(inputs, name), new Date(), new Date(Date.now() - hours * 3_600_000));
  };
  const job = await run();
  long("lost.png", 2);
  long(".begun.png.1234.partial", 2);
  long("young.png", 0.5);
  utimesSync(job.inputImage!, new Date(), new Date(0));
  await studio.close();
  studio = await openStudio({ libraryFolder: plumbing.library });
  await studio.wait((await studio.enqueue(request())).id);
  expect(readdirSync(inputs).sort()).toEqual([basename(job.inputImage!), "young.png"].sort());
});

test("the video names its picture without the library's place, and a library that has it finds it", async () => {
  const job = await run();
  const record = await readSettings(job.video!.path);
  expect(record?.settings).toMatchObject({ mode: "i2v", image: basename(job.inputImage!) });
  const restored = await studio.form.restoreVideo(job.video!.path);
  expect(restored).toMatchObject({ jobId: job.id, settings: { image: job.inputImage } });
  rmSync(job.inputImage!);
  expect((await studio.form.restoreVideo(job.video!.path)).settings).not.toHaveProperty("image");
});

describe("the frame takes the picture's shape", () => {
  const sizeOf = async (settings: Partial<Settings>) => {
    const { settings: resolved } = await studio.check(request(settings));
    return `${resolved.width}x${resolved.height}`;
  };

  test("unless a size is given in pixels or the shape is to stay", async () => {
    const image = picture(40, 20);
    expect(await sizeOf({ image })).toBe("176x96");
    expect(await sizeOf({ image, resolution: "256x256" })).toBe("368x176");
    expect(await sizeOf({ image, adaptiveResolution: false })).toBe("128x128");
    expect(await sizeOf({ image, width: 256, height: 128 })).toBe("256x128");
    expect(await sizeOf({ image, imageFit: "stretch" })).toBe("176x96");
  });

  test("and a job asked for again with all its settings has the same one", async () => {
    const { settings } = await studio.check(request({ image: picture(1000, 333) }));
    expect(await sizeOf(settings)).toBe(`${settings.width}x${settings.height}`);
  });
});

describe("which model", () => {
  const refused = (settings: Partial<Settings>) =>
    studio.check(request(settings)).then(
      () => null,
      (error: unknown) => error as { code: string; message: string; advice: string },
    );

  test("auto is one that can begin with a picture, where there is a picture", async () => {
    expect((await studio.check(request({ image: picture() }))).model.id).toBe("moving-pictures");
    expect((await studio.check(request())).model.id).toBe("demo");
    await studio.installedModels.forget({ id: "moving-pictures" });
    expect((await studio.check(request({ image: picture() }))).model.id).toBe("demo-i2v");
  });

  test("what makes nothing from text alone says so in one sentence, and what makes it from text only does", async () => {
    for (const settings of [{}, { mode: "t2v" }, { mode: "i2v" }] as const)
      expect(await refused({ model: "moving-pictures", ...settings })).toMatchObject({
        code: "model.unsupported",
        message: "Moving Pictures starts from an image, and none was given.",
        advice: "Give an image, or choose a Text to Video model.",
      });
    expect(await refused({ model: "demo", image: picture() })).toMatchObject({ code: "model.unsupported" });
  });

  test("its header has the last word: a manifest makes no model of text take pictures, nor the other way round", async () => {
    const folder = pictureModel(
      { name: "Words", dit: "t2v.pth", ditLow: undefined, capabilities: ["distilled", "i2v", "twoExperts"] },
      "words",
    );
    await studio.installedModels.add(folder);
    const { model } = await studio.check(request({ model: "words" }));
    expect(model.capabilities).toEqual(["distilled", "sla", "t2v", "lora"]);
    const own = await studio.model({ name: "moving-pictures" });
    expect(own.capabilities).toEqual(["distilled", "sla", "i2v", "twoExperts", "lora"]);
  });

  test("experts of another form, or a low one that is not there, are refused in one sentence", async () => {
    await studio.installedModels.add(pictureModel({ name: "Mixed", dit: "i2v-high-quant.pth" }, "mixed"));
    expect(await refused({ model: "mixed", image: picture() })).toMatchObject({
      code: "checkpoint.unsupported",
      message: "i2v-low.pth does not go with i2v-high-quant.pth: quantization none instead of int8 (TurboDiffusion).",
    });
    await studio.installedModels.add(pictureModel({ name: "Half", ditLow: "nowhere.pth" }, "half"));
    expect(await refused({ model: "half", image: picture() })).toMatchObject({ code: "checkpoint.missing" });
    const entries = await studio.installedModels.list();
    expect(entries.find(({ id }) => id === "half")?.files.map(({ role }) => role)).toContain("lowTransformer");
  });

  test("one expert alone runs every step", async () => {
    await studio.installedModels.add(pictureModel({ name: "One", ditLow: undefined }, "one"));
    const job = await run({ model: "one" });
    expect(job).toMatchObject({ state: "done" });
    expect(plumbing.notes()).toContain("open i2v-high.pth");
  });
});

describe("the form", () => {
  const check = (values: Partial<Settings>, imagePath?: string) =>
    studio.form.check({ values: { prompt: "A red ball", ...values }, ...(imagePath ? { imagePath } : {}) });

  test("shows the frame, the picture's stage in the plan, and what auto is", async () => {
    const answer = await check({}, picture(40, 20));
    expect(answer).toMatchObject({ frameSize: { width: 176, height: 96 }, refusal: null, problems: [] });
    expect(answer.automatic.model).toBe("moving-pictures");
    expect(answer.inherited.mode).toBe("t2v");
    expect(answer.plan?.stages.map(({ stage }) => stage)).toEqual(["text", "image", "load", "sample", "decode"]);
    expect(answer.hidden).not.toContain("boundary");
    expect(answer.warnings).toEqual([]);
  });

  test("asks for the picture that is missing, and says what is wrong with one", async () => {
    expect((await check({ mode: "i2v" })).problems).toMatchObject([{ id: "image" }]);
    const own = await check({ model: "moving-pictures" });
    expect(own.settings.mode).toBe("i2v");
    const words = plumbing.file("words.png");
    expect((await check({}, words)).refusal).toMatchObject({ code: "file.unreadable" });
  });

  test("gives the line that makes the same video from a terminal", async () => {
    const image = picture(40, 20);
    const values = { prompt: "A red ball", model: "moving-pictures" };
    const command = await studio.form.command({ draft: { values, imagePath: image } });
    expect(command).toContain(`--model moving-pictures --image ${image}`);
    expect(command).not.toContain("--width");
    const job = await run();
    expect(await studio.form.command({ jobId: job.id })).toContain(`--image ${job.inputImage!}`);
  });

  test("names the files where the low-noise expert was not the model's own", async () => {
    const other = join(plumbing.folder, "moving-pictures", "i2v-another-low.pth");
    writeFileSync(other, "");
    const tokenizerPath = join(import.meta.dirname, "../../../models/demo/tokenizer.json");
    const model = { name: "moving-pictures", ditLowPath: other, tokenizerPath };
    const { id } = await studio.enqueue({ ...request({ image: picture() }), model });
    await studio.wait(id);
    expect(await studio.form.command({ jobId: id })).toContain(`--dit-low-path ${other}`);
  });
});
