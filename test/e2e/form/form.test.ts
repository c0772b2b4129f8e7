// What the form asks of a studio with the real engine: checks of drafts, models used in place, command lines that repeat a
// video, the window's session, dropped videos.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findModel } from "../../../app/models/catalogue.ts";
import { openDatabase } from "../../../app/history/database.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import type { Settings } from "../../../contract/settings/derive.ts";
import { runRushes } from "../../run-rushes.ts";
import { umt5Tensors, umt5Xxl, wan13, wanDitTensors, writeSparseSafetensors } from "../../sparse-model.ts";

const prompt = "A red ball bounces on a blue background";
const demo = findModel("demo")!;

let folder = "";
let library = "";
let studio: Studio;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-form-"));
  library = join(folder, "library");
  studio = await openStudio({ libraryFolder: library });
});
afterAll(async () => {
  await studio.close();
  rmSync(folder, { recursive: true, force: true });
});

const check = (values: object, presetId: string | null = null) =>
  studio.form.check({ values: values as Partial<Settings>, presetId });

/** Milliseconds of the quickest of some checks, after the first: what other programs do meanwhile is not the question. */
async function timeOf(values: Partial<Settings>): Promise<number> {
  await check(values);
  const times: number[] = [];
  for (let round = 0; round < 15; round++) {
    const start = performance.now();
    await check({ ...values, prompt: `${prompt}, ${"and on ".repeat(round)}` });
    times.push(performance.now() - start);
  }
  return Math.min(...times);
}

describe("a check", () => {
  test("of a good draft says everything", async () => {
    const answer = await check({ prompt, numSteps: 2 });
    expect(answer).toMatchObject({
      problems: [],
      refusal: null,
      warnings: [],
      prompt: { words: 8, tokens: 9, tokenLimit: 64, cut: false },
      frameSize: { width: 128, height: 128 },
      settings: { prompt, numSteps: 2, quantLinear: "auto", seed: null },
      automatic: { quantLinear: "int8", attentionType: "sagesla", device: "cpu" },
      sources: { prompt: "form", numSteps: "form", numFrames: "model", resolution: "model", ode: "default" },
      inherited: { numSteps: 4, prompt: "" },
      plan: { fits: true, fixes: [], learnt: false, budgetBytes: null },
    });
    expect(answer.noiseLevels.map((level) => level.toFixed(3))).toEqual(["0.988", "0.934"]);
    expect(answer.hidden).toEqual(expect.arrayContaining(["guidanceScale", "image", "boundary", "offload"]));
    expect(answer.hidden).not.toContain("slaTopk");
    expect(answer.plan?.stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample", "decode"]);
  });

  test("names config file, preset and form as sources", async () => {
    const id = await studio.presets.save("Three", { numSteps: 3, slaTopk: 0.2 });
    writeFileSync(join(library, "config.yaml"), "num_steps: 2\nsigma_max: 90\n");
    try {
      const answer = await check({ prompt, slaTopk: 0.3 }, id);
      expect(answer.settings).toMatchObject({ numSteps: 3, sigmaMax: 90, slaTopk: 0.3 });
      expect(answer.sources).toMatchObject({ numSteps: "preset", sigmaMax: "config", slaTopk: "form" });
      expect(answer.inherited).toMatchObject({ numSteps: 3, sigmaMax: 90, slaTopk: 0.2 });
      expect((await check({ prompt }, "gone")).sources.numSteps).toBe("config");
      writeFileSync(join(library, "config.yaml"), "numStepz: 2\n");
      const broken = await check({ prompt }, id);
      expect(broken.refusal).toMatchObject({ code: "settings.unknown" });
      expect(broken.settings.numSteps).toBe(3);
    } finally {
      rmSync(join(library, "config.yaml"));
      await studio.presets.delete(id);
    }
  });

  test.each([
    ["nothing", {}, ["prompt"], null],
    ["an empty prompt", { prompt: "  " }, ["prompt"], null],
    ["a very long prompt", { prompt: "red ball ".repeat(20_000) }, ["prompt"], null],
    [
      "values out of range",
      { prompt, numSteps: 9, sigmaMax: "x", numFrames: 18 },
      ["numSteps", "sigmaMax", "numFrames"],
      null,
    ],
    ["an unknown setting", { prompt, sede: 3 }, ["sede"], null],
    ["an unknown model", { prompt, model: "wan9" }, [], "model.unknown"],
    ["a known model that is not here", { prompt, model: "wan2.1-14b" }, [], "model.unknown"],
    ["Image to Video without a picture", { prompt, mode: "i2v" }, ["image"], null],
    ["Image to Video with a model of text", { prompt, mode: "i2v", model: "demo" }, [], "model.unsupported"],
    ["a LoRA that is not here", { prompt, loras: [{ file: "a", strength: 1, expert: "both" }] }, ["loras"], null],
  ])("of %s is answered", async (_what, values, problems, refusal) => {
    const answer = await check(values);
    expect(answer.problems.map(({ id }) => id)).toEqual(problems);
    expect(answer.refusal?.code ?? null).toBe(refusal);
    expect(answer.settings.numSteps).toBe(4);
    expect(answer.plan === null).toBe(refusal === "model.unknown");
  });

  test("says that a prompt is cut or short", async () => {
    const long = await check({ prompt: "red ball ".repeat(100) });
    expect(long.prompt).toMatchObject({ words: 200, tokens: 64, cut: true });
    expect(long.warnings.join()).toMatch(/longer than the 64 tokens/);
    expect((await check({ prompt: "ball" })).warnings.join()).toMatch(/very short/);
    expect((await check({ prompt: "一个红色的球在蓝色背景上弹跳" })).prompt?.words).toBeGreaterThan(3);
  });

  test("offers changes that really fit when a run does not", async () => {
    const values = { prompt, resolution: "720p", numFrames: 81, memoryBudget: 0.5 };
    const { plan } = await check(values);
    expect(plan).toMatchObject({ fits: false, budgetBytes: 2 ** 29 });
    expect(plan?.fixes.map(({ id }) => id)).toEqual(
      expect.arrayContaining(["smallerSize", "fewerFrames", "removeBudget"]),
    );
    for (const fix of plan?.fixes ?? []) {
      const changed = await check({ ...values, ...fix.values });
      expect(changed.plan, fix.id).toMatchObject({ fits: true });
    }
  });

  test("is quick enough for every letter typed", async () => {
    const milliseconds = await timeOf({ prompt });
    console.log(`a check of the demo model: ${milliseconds.toFixed(1)} ms`);
    // 30 ms on a quiet machine; this one may be loaded.
    expect(milliseconds).toBeLessThan(150);
  });
});

describe("models used in place", () => {
  test("a folder of the demo's files becomes a model by name, for the form and for the command line", async () => {
    const place = join(folder, "my models");
    mkdirSync(place);
    const { dit, vae, textEncoder, tokenizer } = demo.files;
    for (const path of [dit, demo.dit16!, vae, textEncoder, tokenizer, join(dit, "..", "config.json")])
      copyFileSync(path, join(place, basename(path)));
    writeFileSync(join(place, "broken.safetensors"), "no tensors here");
    const { models, notes } = await studio.installedModels.add(place);
    expect(models).toMatchObject([
      { id: "demo-t2v", name: "demo-t2v", state: "ready", builtIn: false, problem: null, fits: true },
    ]);
    expect(models[0]?.files.map(({ role }) => role)).toEqual([
      "transformer",
      "transformer16",
      "vae",
      "textEncoder",
      "tokenizer",
    ]);
    expect(notes.find(({ path }) => path.endsWith("broken.safetensors"))?.note).toMatch(/\w/);
    expect(studio.installedModels.folders()).toEqual([place]);

    const answer = await check({ prompt, model: "demo-t2v", resolution: "96x96", numFrames: 5 });
    expect(answer).toMatchObject({ refusal: null, prompt: { tokenLimit: 64 }, plan: { fits: true } });
    const line = ["generate", prompt, "--model=demo-t2v", "--resolution=64x64", "--num-frames=5", "--num-steps=1"];
    const made = await runRushes<object>([...line, "--seed=1"], library);
    expect(made).toMatchObject({ state: "done", videos: [{ model: "demo-t2v" }] });

    expect((await studio.installedModels.add(place)).models).toHaveLength(1);
    const shipped = ["demo", "demo-i2v"];
    const list = () => studio.installedModels.list();
    expect((await list()).map(({ id }) => id)).toEqual([...shipped, "demo-t2v"]);
    rmSync(join(place, basename(vae)));
    expect((await list()).at(-1)).toMatchObject({ state: "incomplete", problem: /There is no file/ });
    await studio.installedModels.forget({ folder: place });
    expect((await list()).map(({ id }) => id)).toEqual(shipped);
    expect(readFileSync(join(place, basename(dit))).length).toBeGreaterThan(0);
  });

  test("parts that are added one by one come together, and the known name means them", async () => {
    const place = join(folder, "parts");
    const [dits, others] = [join(place, "dit"), join(place, "other")];
    mkdirSync(dits, { recursive: true });
    mkdirSync(others);
    const dit = join(dits, "TurboWan2.1-T2V-1.3B-480P.safetensors");
    writeSparseSafetensors(dit, wanDitTensors(wan13));
    const encoder = join(others, "umt5-xxl.safetensors");
    writeSparseSafetensors(encoder, umt5Tensors(umt5Xxl));
    const vae = join(others, "vae.pth");
    copyFileSync(demo.files.vae, vae);
    copyFileSync(demo.files.tokenizer, join(others, "tokenizer.json"));

    const first = await studio.installedModels.add(dit);
    expect(first.models).toMatchObject([
      { id: "turbowan2.1-t2v-1.3b-480p", state: "incomplete", problem: /A Wan VAE that fits/ },
    ]);
    expect(studio.installedModels.missing("wan2.1-1.3b")).toMatch(/not complete/);
    await studio.installedModels.add(vae);
    const last = await studio.installedModels.add(encoder);
    expect(last.models).toMatchObject([{ id: "turbowan2.1-t2v-1.3b-480p", state: "ready", problem: null }]);
    expect(studio.installedModels.missing("wan2.1-1.3b")).toBeNull();

    const answer = await check({ prompt, numFrames: 81 }, "1.3b-480p");
    expect(answer).toMatchObject({
      refusal: null,
      frameSize: { width: 832, height: 480 },
      prompt: { tokenLimit: 512 },
    });
    const milliseconds = await timeOf({ prompt, model: "wan2.1-1.3b" });
    console.log(`a check of a 1.3B model: ${milliseconds.toFixed(1)} ms`);
    expect(milliseconds).toBeLessThan(500);
    await studio.installedModels.forget({ id: "turbowan2.1-t2v-1.3b-480p" });
    await expect(studio.installedModels.forget({ id: "demo" })).rejects.toMatchObject({ code: "model.unknown" });
  });

  test("what is no model is refused, and the inspector says what a file is", async () => {
    const text = join(folder, "notes.pth");
    writeFileSync(text, "hello");
    await expect(studio.installedModels.add(text)).rejects.toMatchObject({ code: "checkpoint.unsupported" });
    await expect(studio.installedModels.add(join(folder, "none"))).rejects.toMatchObject({
      code: "checkpoint.missing",
    });
    const report = await studio.installedModels.report(demo.files.dit);
    expect(report).toMatchObject({ family: "wan-dit", complete: true, quantizedLayers: 80 });
    expect(report.text).toMatch(/Quantization {4}int8 \(TurboDiffusion\), 80 layers/);
    const shipped = (await studio.installedModels.list()).find(({ id }) => id === "demo");
    expect(shipped?.quantization).toBe("int8 (TurboDiffusion) + 16-bit");
    await expect(studio.installedModels.report(folder)).rejects.toMatchObject({ code: "checkpoint.unsupported" });
  });

  test("a damaged list of models hides none that is shipped and is kept", async () => {
    writeFileSync(join(library, "models.json"), "{");
    expect(studio.models().map(({ id }) => id)).toEqual(["demo", "demo-i2v"]);
  });
});

describe("a finished job", () => {
  test("is repeated by its command line, restored from its video, and corrects the next plan", async () => {
    const values = { prompt: "it's a 'red' ball; $HOME", seed: 5, resolution: "64x64", numFrames: 5, numSteps: 1 };
    const [job] = await studio.queue.add([{ values }]);
    const done = await studio.wait(job!.id);
    expect(done.state).toBe("done");
    const command = await studio.form.command({ jobId: done.id });
    expect(command).toBe(
      `./rushes generate 'it'\\''s a '\\''red'\\'' ball; $HOME' --library ${library} --model demo --resolution 64x64 --num-frames 5 --num-steps 1 --seed 5`,
    );
    const restored = await studio.form.restoreVideo(done.video!.path);
    expect(restored).toMatchObject({ jobId: done.id, notes: [], settings: { ...values, model: "demo" } });
    await expect(studio.form.restoreVideo(demo.files.tokenizer)).rejects.toMatchObject({ code: "video.foreign" });
    expect((await check(values)).plan?.learnt).toBe(true);
    await expect(studio.form.command({ jobId: 999 })).rejects.toMatchObject({ code: "job.unknown" });
  });
});

describe("the session", () => {
  test("is kept, and what is foreign in it is dropped", () => {
    expect(studio.form.session()).toEqual({ values: {}, presetId: null, views: {} });
    const session = { values: { prompt, numSteps: 2 }, presetId: "draft", views: { history: { scroll: 5 } } };
    studio.form.keepSession(session);
    expect(studio.form.session()).toEqual(session);
    const foreign = { values: { numSteps: 99, sede: 1, prompt: "" }, presetId: 7, views: [], later: { kept: true } };
    studio.form.keepSession(foreign as never);
    expect(studio.form.session()).toEqual({
      ...session,
      values: { prompt: "" },
      presetId: null,
      later: { kept: true },
    });
    const huge = { views: { text: "x".repeat(1_100_000) } };
    expect(() => studio.form.keepSession(huge)).toThrow(expect.objectContaining({ code: "request.invalid" }));
    const database = openDatabase(join(library, "rushes.db"));
    database.prepare("UPDATE session SET value = '[1]'").run();
    database.close();
    expect(studio.form.session()).toEqual({ values: {}, presetId: null, views: {} });
  });
});
