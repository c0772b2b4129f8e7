// Models of two experts: found together in folders, checked against each other, chosen in one form, listed with all files.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Inspection } from "../../../app/engine/addon.ts";
import { addedModels, addModels } from "../../../app/models/added-models.ts";
import { chooseAutomatic, engineFiles } from "../../../app/models/automatic-choices.ts";
import { settledChoice } from "../../../app/models/automatic-model.ts";
import { findChosenModel, manifestOf } from "../../../app/models/find-model.ts";
import { readModelsFile } from "../../../app/models/models-file.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-experts-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
  return path;
}

/** What the name says: t2v or i2v, quant or not, and "wide" for another width. */
async function headerOf(path: string): Promise<Inspection> {
  const name = basename(path).toLowerCase();
  const family = name.includes("vae") ? "wan-vae" : name.includes("t5") ? "umt5" : "wan-dit";
  const picture = name.includes("i2v");
  const quantized = name.includes("quant");
  const dit = {
    dim: name.includes("wide") ? 3072 : 5120,
    layers: 40,
    inChannels: picture ? 36 : 16,
    outChannels: 16,
    textDim: 4096,
  };
  return {
    path,
    container: "pth",
    bytes: 1,
    family,
    architecture: picture ? "wan2.2-i2v" : "wan2.2-t2v",
    layout: "original",
    prefix: "",
    sizes: { "wan-dit": dit, "wan-vae": { latentChannels: 16 }, umt5: { dim: 4096 } }[family] ?? {},
    tensors: 1,
    parameters: 1,
    dtypes: {},
    quantization: quantized ? "int8 (TurboDiffusion)" : "none",
    quantizedLayers: quantized ? 400 : 0,
    sla: true,
    missing: [],
    unexpected: [],
    wrongShape: [],
    complete: true,
    uses: [picture ? "image to video, high- or low-noise expert" : "text to video"],
    refused: "",
    summary: name,
  };
}

const turbo = (expert: string, end = "") => `TurboWan2.2-I2V-A14B-${expert}-720P${end}.pth`;
const shared = ["Wan2.1_VAE.pth", "models_t5_umt5-xxl-enc-bf16.pth", "tokenizer.json"];
const namesOf = (files: object) => Object.values(files).map((path) => basename(String(path)));

describe("a folder", () => {
  test("gives high and low files as one model, in both forms, with what belongs to it", async () => {
    for (const name of [...shared, turbo("high"), turbo("low"), turbo("high", "-quant"), turbo("low", "-quant")]) file(name);
    const { ids, notes } = await addModels(folder, folder, headerOf);
    expect(ids).toEqual(["turbowan2.2-i2v-a14b-720p"]);
    const [model] = addedModels(folder);
    expect(model).toMatchObject({
      name: "TurboWan2.2-I2V-A14B-720P",
      knownAs: "wan2.2-a14b",
      dit16: join(folder, turbo("high")),
      ditLow16: join(folder, turbo("low")),
      capabilities: ["distilled", "i2v", "twoExperts", "lora"],
      defaults: { resolution: "720p" },
    });
    expect(namesOf(model!.files)).toEqual(
      expect.arrayContaining([turbo("high", "-quant"), turbo("low", "-quant"), ...shared]),
    );
    expect(notes.map(({ note }) => note).filter((note) => note.startsWith("One of two"))).toEqual([]);
  });

  test.each([
    ["wan2.2_i2v_high_noise_14B_fp16.pth", "wan2.2_i2v_low_noise_14B_fp16.pth", "wan2.2_i2v_14B_fp16"],
    ["Wan2.2-T2V-A14B-HighNoise.pth", "Wan2.2-T2V-A14B-LowNoise.pth", "Wan2.2-T2V-A14B"],
    ["high/i2v.pth", "low/i2v.pth", null],
  ])("takes %s and %s for experts by their names", async (high, low, name) => {
    file(high);
    file(low);
    await addModels(folder, folder, headerOf);
    const models = addedModels(folder);
    expect(models.filter(({ files }) => files.ditLow !== undefined).map((model) => model.name)).toEqual(name ? [name] : []);
    expect(models).toHaveLength(name ? 1 : 2);
  });

  test("says of an expert alone, or beside one that does not fit, what is missing; it can be used all the same", async () => {
    file(turbo("high"));
    file("wide-i2v-low.pth");
    file("wide-i2v-high-quant.pth");
    const { notes } = await addModels(folder, folder, headerOf);
    const said = (name: string) => notes.filter(({ path }) => basename(path) === name).map(({ note }) => note);
    expect(said(turbo("high"))).toContainEqual(expect.stringMatching(/the low-noise expert .* is not in its folder/));
    expect(said("wide-i2v-high-quant.pth")).toContainEqual(
      expect.stringMatching(/wide-i2v-low\.pth does not fit: quantization none instead of int8/),
    );
    expect(said("wide-i2v-low.pth")).toContainEqual(expect.stringMatching(/the high-noise expert/));
    expect(addedModels(folder)).toHaveLength(3);
  });

  test("an expert that was added alone becomes part of its model when its partner is added", async () => {
    const low = file(turbo("low"));
    await addModels(folder, low, headerOf);
    expect(addedModels(folder).map(({ files }) => basename(files.dit))).toEqual([turbo("low")]);
    const high = file(turbo("high"));
    const { ids } = await addModels(folder, high, headerOf);
    expect(ids).toHaveLength(1);
    expect(addedModels(folder)).toMatchObject([{ files: { dit: high, ditLow: low } }]);
  });

  test("models.json of an earlier version is read as it is", () => {
    const files = { dit: "/m/a.pth", vae: "", textEncoder: "", tokenizer: "" };
    writeFileSync(
      join(folder, "models.json"),
      JSON.stringify({ version: 1, models: [{ id: "a", name: "a", files, textDim: 4096, latentChannels: 16 }] }),
    );
    expect(readModelsFile(folder).models).toMatchObject([{ id: "a", inputChannels: 0, files }]);
    expect(addedModels(folder)[0]?.capabilities).toEqual(["distilled", "t2v", "i2v", "lora"]);
  });
});

describe("both experts", () => {
  const parts = () => ({ vaePath: file("vae.pth"), textEncoderPath: file("umt5.pth") });
  const choice = (high: string, low: string) => ({ ...parts(), ditPath: file(high), ditLowPath: file(low) });

  test("of text make a model of text with two experts", async () => {
    const model = await findChosenModel(choice("t2v-high.pth", "t2v-low.pth"), headerOf);
    expect(model.capabilities).toEqual(["distilled", "sla", "t2v", "twoExperts", "lora"]);
  });

  test.each([
    ["i2v-high.pth", "t2v-low.pth", "architecture wan2.2-t2v instead of wan2.2-i2v"],
    ["i2v-high.pth", "wide-i2v-low.pth", "width 3072 instead of 5120"],
    ["i2v-high-quant.pth", "i2v-low.pth", "quantization none instead of int8 (TurboDiffusion)"],
  ])("%s and %s are refused in one sentence", async (high, low, difference) => {
    await expect(findChosenModel(choice(high, low), headerOf)).rejects.toMatchObject({
      code: "checkpoint.unsupported",
      message: `${low} does not go with ${high}: ${difference}.`,
      advice: expect.stringContaining("low-noise expert") as string,
    });
  });

  test("run in the same form, whichever is asked for", async () => {
    for (const name of [...shared, turbo("high"), turbo("low"), turbo("high", "-quant"), turbo("low", "-quant")]) file(name);
    await addModels(folder, folder, headerOf);
    const model = await findChosenModel({ name: "wan2.2-a14b" }, headerOf, addedModels(folder));
    const auto = { quantLinear: "auto", attentionType: "auto" } as const;
    const quantized = chooseAutomatic(auto, model);
    expect(quantized).toMatchObject({ quantLinear: "int8" });
    expect(namesOf(engineFiles(quantized, model)).slice(0, 2)).toEqual([turbo("high", "-quant"), turbo("low", "-quant")]);
    const plain = chooseAutomatic({ ...auto, quantLinear: "off" }, model);
    expect(plain).toMatchObject({ quantLinear: "off" });
    expect(namesOf(engineFiles(plain, model)).slice(0, 2)).toEqual([turbo("high"), turbo("low")]);
    const { ditLow16: _gone, ...without } = model;
    expect(() => chooseAutomatic({ ...auto, quantLinear: "off" }, without)).toThrow(/low-720P-quant\.pth holds int8 weights only/);
  });

  test("given as files replace a model's transformers together: its own low one does not stay behind a new high one", async () => {
    for (const name of [...shared, turbo("high"), turbo("low")]) file(name);
    await addModels(folder, folder, headerOf);
    const added = addedModels(folder);
    const [own, low] = [file("own/i2v-high.pth"), file("own/i2v-low.pth")];
    expect(manifestOf({ name: "wan2.2-a14b", ditPath: own }, added).files.ditLow).toBeUndefined();
    expect(manifestOf({ name: "wan2.2-a14b", ditLowPath: low }, added).files).toMatchObject({
      dit: join(folder, turbo("high")),
      ditLow: low,
    });
  });
});

test("auto for a picture passes over models that cannot, whose file is gone or cannot be read", async () => {
  for (const name of [...shared, "t2v.pth"]) file(`words/${name}`);
  for (const name of [...shared, turbo("high"), turbo("low")]) file(`pictures/${name}`);
  const gone = file("gone/i2v.pth");
  for (const each of ["words", "gone", "pictures"]) await addModels(folder, join(folder, each), headerOf);
  rmSync(gone);
  const manifests = addedModels(folder);
  expect(await settledChoice({ mode: "i2v" }, manifests, headerOf)).toMatchObject({ name: "turbowan2.2-i2v-a14b-720p" });
  expect(await settledChoice({ mode: "t2v" }, manifests, headerOf)).toEqual({ mode: "t2v" });
  expect(await settledChoice({ mode: "i2v", name: "words" }, manifests, headerOf)).toMatchObject({ name: "words" });
  const broken = () => Promise.reject(new Error("a damaged file"));
  await expect(settledChoice({ mode: "i2v" }, manifests, broken)).rejects.toMatchObject({ code: "model.unsupported" });
});
