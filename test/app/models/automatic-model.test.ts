// Which model "auto" is where there is a picture, and what is said where there is none.
import { describe, expect, test } from "vitest";
import { settledChoice } from "../../../app/models/automatic-model.ts";
import { listModels } from "../../../app/models/catalogue.ts";
import type { Inspection } from "../../../app/engine/addon.ts";

const header = (path: string) =>
  Promise.resolve({ sizes: { inChannels: path.includes("i2v") ? 36 : 16 }, complete: true, refused: "" } as unknown as Inspection);
const settled = (manifests: ReturnType<typeof listModels>) => settledChoice({ mode: "i2v" }, manifests, header);
const shipped = listModels();

describe("auto, with a picture", () => {
  test("is the first model that takes one", async () => {
    expect(shipped.map(({ id }) => id)).toEqual(["demo", "demo-i2v"]);
    expect(await settled(shipped)).toEqual({ mode: "i2v", name: "demo-i2v" });
    const [text, pictures] = shipped as [(typeof shipped)[0], (typeof shipped)[0]];
    expect(await settled([{ ...pictures, id: "own" }, text, pictures])).toMatchObject({ name: "own" });
  });

  test("passes over one whose files are gone", async () => {
    const [text, pictures] = shipped as [(typeof shipped)[0], (typeof shipped)[0]];
    const gone = { ...pictures, id: "gone", files: { ...pictures.files, ditLow: "/nowhere/i2v-low.pth" } };
    expect(await settled([gone, text, pictures])).toMatchObject({ name: "demo-i2v" });
  });

  test("passes over a low-noise expert alone", async () => {
    const [text, pictures] = shipped as [(typeof shipped)[0], (typeof shipped)[0]];
    const { ditLow, ...others } = pictures.files;
    const alone = { ...pictures, id: "alone", files: { ...others, dit: ditLow! } };
    expect(await settled([alone, text, pictures])).toMatchObject({ name: "demo-i2v" });
  });

  test("where none takes one, says what to add", async () => {
    await expect(settled(shipped.slice(0, 1))).rejects.toMatchObject({
      code: "model.unsupported",
      message: "No model on this machine can start from an image.",
      advice: expect.stringContaining("TurboWan2.2-I2V-A14B") as string,
    });
  });
});
