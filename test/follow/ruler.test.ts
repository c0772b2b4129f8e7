// The ruler itself: it must read drawn clips right, and agree on the golden clips with the script that measured the demo
// model's published shares.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSafetensors } from "../safetensors.ts";
import { seen } from "./seen.ts";
import { sharesOf } from "./shares.ts";
import { drawScene, properties, randomNumbers, said, scenes } from "./world.ts";

const golden = join(import.meta.dirname, "../golden");

describe("sentences", () => {
  test("what the sentence maker meant is what is read from its sentences", () => {
    for (const { sentence, properties: meant } of scenes(500, 5)) expect(said(sentence), sentence).toEqual(meant);
  });
  test("the longest words for a motion win", () => {
    expect(said("A small red star bounces up and down on a gray background.")?.motion).toBe("bounce");
    expect(said("on a pink background, a blue ring moves up")?.motion).toBe("up");
  });
  test.each([
    "the moon rises over the sea at night",
    "a red ball rises and a blue star falls on a white background",
    "a red ball rises",
  ])("not one object on one background: %s", (sentence) => expect(said(sentence)).toBeNull());
});

test("drawn clips are read right", () => {
  const random = randomNumbers(11);
  const drawn = scenes(60, 77);
  const pairs = drawn.map((scene) => ({
    said: scene.properties,
    seen: seen({ width: 96, height: 96, frames: drawScene(scene, random, 96) }),
  }));
  const shares = sharesOf(pairs);
  expect(shares.background).toBe(1);
  expect(shares.colour).toBe(1);
  expect(shares.shape).toBeGreaterThanOrEqual(0.95);
  expect(shares.motion).toBeGreaterThanOrEqual(0.95);
});

test("an empty clip shows a background and nothing else", () => {
  const frames = Array.from({ length: 17 }, () => new Float32Array(64 * 64 * 3).fill(0.5));
  expect(seen({ width: 64, height: 64, frames })).toEqual({ background: "gray", colour: "", shape: "", motion: "" });
});

// Read with the original script (Python, numpy) from the same frames.
test.each([
  ["t2v-ode4", { background: "blue", colour: "red", shape: "ball", motion: "bounce" }],
  ["t2v-sde2-sigma200", { background: "blue", colour: "red", shape: "ball", motion: "bounce" }],
  ["t2v-sde4", { background: "blue", colour: "red", shape: "ball", motion: "bounce" }],
  ["t2v-sde4-sla0.1", { background: "blue", colour: "red", shape: "ball", motion: "bounce" }],
])("golden %s", (name, expected) => {
  const { frames } = readSafetensors(join(golden, name, "tensors.safetensors"));
  const [, channels, count, height, width] = frames!.shape as [number, number, number, number, number];
  const plane = height * width;
  // [channel, frame, row, column] -> frames of interleaved RGB
  const clip = Array.from({ length: count }, (_, frame) =>
    Float32Array.from({ length: plane * channels }, (_, at) => {
      const [place, channel] = [Math.floor(at / channels), at % channels];
      return frames!.bytes[(channel * count + frame) * plane + place]! / 255;
    }),
  );
  const found = seen({ width, height, frames: clip });
  for (const property of properties) expect(found[property], property).toBe(expected[property]);
});
