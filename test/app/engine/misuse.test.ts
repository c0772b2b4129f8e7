// What the addon says to values that no typed caller would pass, and that a model goes on after each of them. In this
// process: the engine's own always passes a listener.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { AddonModel, GenerateReport, GenerateRequest } from "../../../app/engine/addon.ts";
import { loadAddon } from "../../../app/engine/load.ts";

const demo = fileURLToPath(new URL("../../../models/demo/", import.meta.url));
const built = fileURLToPath(new URL("../../../build/Release/rushes.node", import.meta.url));
const settings = { width: 64, height: 64, numFrames: 5, numSteps: 1, seed: 3 };
const request: GenerateRequest = { settings, ids: Int32Array.of(5, 20, 30, 40, 1) };
const bytes = settings.width * settings.height * 3;

let model: AddonModel;
beforeAll(async () => {
  model = await loadAddon(process.env["RUSHES_ADDON"] ?? built).openModel({
    dit: join(demo, "demo-t2v-quant.pth"),
    vae: join(demo, "demo-vae.pth"),
    textEncoder: join(demo, "demo-umt5.pth"),
    textLength: 64,
  });
});

/** What a call with those values throws or rejects with. */
async function failure(values: unknown[]): Promise<{ name?: string; code?: string; message?: string }> {
  try {
    await (model.generate as (...given: unknown[]) => Promise<GenerateReport>).apply(model, values);
  } catch (error) {
    return error as Error;
  }
  return {};
}
const listener = () => undefined;
const withImage = (image: unknown) => failure([{ ...request, image }, listener]);

describe("a picture that is no Uint8Array", () => {
  test.each([
    ["floats", new Float32Array(bytes / 4)],
    ["signed bytes", new Int8Array(bytes)],
    ["a bare buffer", new ArrayBuffer(bytes)],
    ["a view", new DataView(new ArrayBuffer(bytes))],
    ["numbers", [1, 2, 3]],
    ["text", "picture"],
  ])("%s", async (_, image) => {
    expect(await withImage(image)).toMatchObject({ name: "TypeError", message: "image must be a Uint8Array." });
  });
});

test("a picture of another size is refused, whatever size the settings claim", async () => {
  expect(await withImage(new Uint8Array(bytes - 1))).toMatchObject({ code: "settings.invalid" });
  expect(
    await failure([
      { ...request, settings: { ...settings, width: 2 ** 40, height: 2 ** 40 }, image: new Uint8Array(bytes) },
      listener,
    ]),
  ).toMatchObject({ code: "settings.invalid" });
  // The demo model makes videos from text only.
  expect(await withImage(new Uint8Array(bytes))).toMatchObject({ code: "settings.invalid" });
});

test("token ids are an Int32Array, steps whole numbers, listeners functions", async () => {
  for (const ids of [[5, 1], Float64Array.of(5, 1), Uint8Array.of(5, 1), undefined])
    expect(await failure([{ ...request, ids }, listener])).toMatchObject({ name: "TypeError" });
  for (const startStep of ["1", 0.5, NaN, 2 ** 40])
    expect(await failure([{ ...request, startStep }, listener])).toMatchObject({ name: "TypeError" });
  expect(await failure([{ ...request, startStep: -1 }, listener])).toMatchObject({ code: "settings.invalid" });
  expect(await failure([request])).toMatchObject({ name: "TypeError" });
  expect(await failure([request, {}])).toMatchObject({ name: "TypeError" });
});

test("after all of that the model works", async () => {
  expect(await model.generate({ ...request, image: undefined } as unknown as GenerateRequest, listener)).toMatchObject({
    frames: 5,
  });
});
