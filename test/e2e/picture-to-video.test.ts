// From a picture to a video at the command line, with the real engine: the model that comes with Rushes, and a tiny one whose
// files are named. Runs the built program.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, describe, expect, test } from "vitest";
import { projectRoot, type RunOptions, runRushes } from "../app/cli/run-rushes.ts";
import { seen } from "../follow/seen.ts";
import { drawScene, randomNumbers, scenes } from "../follow/world.ts";
import { writeTinyImageModel } from "../tiny-image-model.ts";
import { probe, readFrames } from "../video-frames.ts";

const folder = mkdtempSync(join(tmpdir(), "rushes-picture-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const options: RunOptions = { library: join(folder, "library"), built: true };
const demo = join(projectRoot, "models/demo");
const { high, low } = writeTinyImageModel(join(folder, "model"));
const others = ["--vae_path", join(demo, "demo-vae.pth"), "--text_encoder_path", join(demo, "demo-umt5.pth")];
const experts = ["--high_noise_model_path", high, "--low_noise_model_path", low, ...others];
const small = ["--resolution", "64x64", "--num_frames", "5", "--seed", "7"];

/** A picture of one colour. */
function picture(colour: readonly number[], width = 60, height = 30): string {
  const path = join(folder, `${colour.join("-")}-${width}x${height}.png`);
  const data = Uint8Array.from({ length: 3 * width * height }, (_, at) => colour[at % 3]!);
  writeFileSync(path, encode({ width, height, channels: 3, data }));
  return path;
}
const red = picture([230, 20, 20]);

interface Made {
  path: string;
  width: number;
  height: number;
  stages: { stage: string }[];
  settings: Record<string, unknown>;
}

async function made(...words: string[]): Promise<Made> {
  const { code, stdout, stderr } = await runRushes(
    ["generate", "A ball rolls over the table", ...words, "--json"],
    options,
  );
  expect(code, stderr + stdout).toBe(0);
  return (JSON.parse(stdout) as { videos: Made[] }).videos[0]!;
}

async function refused(...words: string[]): Promise<string> {
  const { code, stderr } = await runRushes(["generate", "A ball rolls", ...words], options);
  expect(code).not.toBe(0);
  return stderr;
}

/** How far two videos are apart in their pixels, 0..1. */
function distance(one: Made, other: Made): number {
  const [a, b] = [readFrames(one.path).frames, readFrames(other.path).frames];
  const sums = a.map((frame, at) => frame.reduce((sum, value, index) => sum + Math.abs(value - b[at]![index]!), 0));
  return sums.reduce((sum, each) => sum + each, 0) / (a.length * a[0]!.length);
}

test("a picture alone goes to the model that comes with Rushes, which keeps it and moves it as the sentence says", async () => {
  const scene = scenes(40, 3).find(({ properties }) => properties.motion === "right")!;
  const first = drawScene(scene, randomNumbers(3))[0]!;
  const path = join(folder, "first.png");
  const data = Uint8Array.from(first, (value) => Math.round(255 * value));
  writeFileSync(path, encode({ width: 128, height: 128, channels: 3, data }));
  const { code, stdout, stderr } = await runRushes(["generate", scene.sentence, "--image", path, "--json"], options);
  expect(code, stderr).toBe(0);
  const video = (JSON.parse(stdout) as { videos: (Made & { model: string })[] }).videos[0]!;
  expect(video).toMatchObject({
    model: "demo-i2v",
    width: 128,
    height: 128,
    settings: { boundary: 0.9, sigmaMax: 200 },
  });
  const clip = readFrames(video.path);
  expect(clip.frames).toHaveLength(17);
  const error = clip.frames[0]!.reduce((sum, value, at) => sum + (value - first[at]!) ** 2, 0) / first.length;
  expect(-10 * Math.log10(error)).toBeGreaterThan(24);
  expect(seen(clip)).toMatchObject({ background: scene.properties.background, motion: "right" });
});

describe("TurboDiffusion's own line", () => {
  test("makes a video in the picture's shape, with both experts", async () => {
    const video = await made(
      "--image_path",
      red,
      ...experts,
      "--boundary",
      "0.9",
      "--adaptive_resolution",
      "--ode",
      ...small,
    );
    expect(video).toMatchObject({ width: 96, height: 48, settings: { mode: "i2v", ode: true, sigmaMax: 200 } });
    expect(probe(video.path)).toMatchObject({ width: 96, height: 48, nb_read_frames: "5" });
    expect(video.stages.map(({ stage }) => stage)).toEqual(["text", "image", "load", "sample", "decode", "save"]);
  });

  test("another picture, and another boundary, make another video; the same ones make the same", async () => {
    const line = [...experts, ...small, "--no-adaptive-resolution"];
    const first = await made("--image", red, ...line);
    expect([first.width, first.height]).toEqual([64, 64]);
    expect(distance(first, await made("--image", red, ...line))).toBe(0);
    expect(distance(first, await made("--image", picture([20, 230, 20]), ...line))).toBeGreaterThan(0.002);
    expect(distance(first, await made("--image", red, ...line, "--boundary", "0.5"))).toBeGreaterThan(0.002);
  });

  test("one expert alone runs every step", async () => {
    const video = await made("--image", red, "--dit_path", high, ...others, ...small);
    expect(video).toMatchObject({ width: 96, height: 48 });
  });
});

describe("refused in one sentence", () => {
  test("no picture, a picture for a model of text, a picture that is none, experts that do not fit", async () => {
    expect(await refused(...experts, ...small)).toMatch(/starts from an image, and none was given/);
    expect(await refused("--image", red, "--model", "demo")).toMatch(/makes videos from text only/);
    const words = join(folder, "words.png");
    writeFileSync(words, "words");
    expect(await refused("--image", words, ...experts)).toMatch(/is no picture/);
    expect(await refused("--image", join(folder, "none.png"), ...experts)).toMatch(/none\.png/);
    const text = join(demo, "demo-t2v.pth");
    expect(await refused("--image", red, "--dit_path", high, "--dit_low_path", text, ...others)).toMatch(
      /demo-t2v\.pth does not go with tiny-i2v-high\.safetensors/,
    );
  });
});

describe("settings", () => {
  test("names the boundary and the picture with their sources", async () => {
    mkdirSync(options.library, { recursive: true });
    const { stdout } = await runRushes(["settings", "--image", red, ...experts, "--boundary", "0.8"], options);
    expect(stdout).toMatch(/^boundary +0\.8 +flag$/m);
    expect(stdout).toMatch(/^mode +i2v/m);
    const alone = await runRushes(["settings", "--image", red, "--resolution", "64x64"], options);
    expect(alone.stdout).toMatch(/^width +96/m);
    expect(alone.stdout).toMatch(/^height +48/m);
  });
});
