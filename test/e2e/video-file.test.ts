// The file as others see it: ffprobe reads it without a word of complaint, Chromium plays it to the end and shows the
// pixels that ffmpeg decodes.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runRushes } from "../run-rushes.ts";
import { probe, readFrames } from "../video-frames.ts";
import { startChromium } from "./chromium.ts";
import { serve } from "./local-server.ts";

const prompt = "A large red ball moves to the right on a blue background";

let folder: string;
let path: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-e2e-"));
  const args = ["generate", prompt, "--model", "demo", "--seed", "3"];
  const { videos } = await runRushes<{ videos: { path: string; posterPath: string }[] }>(args, join(folder, "library"));
  path = videos[0]!.path;
  expect(statSync(videos[0]!.posterPath).size).toBeGreaterThan(100);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("ffprobe reads it cleanly", () => {
  expect(probe(path)).toMatchObject({
    codec_name: "h264",
    width: 128,
    height: 128,
    pix_fmt: "yuv420p",
    color_range: "tv",
    color_space: "bt709",
    color_transfer: "bt709",
    color_primaries: "bt709",
    r_frame_rate: "16/1",
    avg_frame_rate: "16/1",
    nb_read_frames: "17",
  });
  expect(Number(probe(path).duration)).toBeCloseTo(17 / 16, 2);
});

test("ffmpeg decodes every frame, and they differ", () => {
  const { frames } = readFrames(path);
  expect(frames).toHaveLength(17);
  const change = frames[0]!.reduce((total, value, at) => total + Math.abs(value - frames[16]![at]!), 0);
  expect(change / frames[0]!.length).toBeGreaterThan(0.01);
});

describe("Chromium", () => {
  // Plain script: it runs in the page, not here. A frame counts as shown when the browser presents it.
  const page = `<!doctype html><title>rushes</title><video id="video" muted></video>
<script>
const video = document.getElementById("video");
const once = (name) => new Promise((resolve, reject) => {
  video.addEventListener(name, resolve, { once: true });
  video.addEventListener("error", () => reject(new Error(video.error.message)), { once: true });
});
async function open(name) {
  video.src = name;
  await once("canplaythrough");
}
async function seek(seconds) {
  video.currentTime = seconds;
  await once("seeked");
}
async function play() {
  await seek(0);
  const ended = once("ended");
  await video.play();
  await ended;
  return { duration: video.duration, width: video.videoWidth, height: video.videoHeight, shown: video.getVideoPlaybackQuality().totalVideoFrames, ended: video.ended };
}
function pixels() {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
}
</script>`;

  let server: Awaited<ReturnType<typeof serve>>;
  let browser: Browser;
  let tab: Page;
  beforeAll(async () => {
    server = await serve(dirname(path), page);
    browser = await startChromium();
    tab = await browser.newPage();
    await tab.goto(server.url);
    await tab.evaluate(`open(${JSON.stringify(basename(path))})`);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test("shows the first frame as ffmpeg decodes it", async () => {
    await tab.evaluate("seek(0.03)");
    await shows(0);
  });
  test("plays it to the end, and stays at the last frame", async () => {
    const played = (await tab.evaluate("play()")) as Record<"duration" | "width" | "height" | "shown", number>;
    expect(played).toMatchObject({ ended: true, width: 128, height: 128 });
    expect(played.duration).toBeCloseTo(17 / 16, 2);
    expect(played.shown).toBeGreaterThanOrEqual(17);
    await shows(16);
  });

  /** Waits for a frame as ffmpeg decodes it: where the video stands is told before its picture there is painted. Two
   * players' chroma upsampling and rounding differ by about one level in 255; a wrong range or matrix by ten. */
  async function shows(index: number): Promise<void> {
    const decoded = readFrames(path).frames[index]!;
    const difference = async () => {
      const shown = (await tab.evaluate("pixels()")) as number[];
      let sum = 0;
      for (let place = 0; place < 128 * 128; ++place)
        for (let channel = 0; channel < 3; ++channel)
          sum += Math.abs(shown[place * 4 + channel]! / 255 - decoded[place * 3 + channel]!);
      return sum / (128 * 128 * 3);
    };
    await expect.poll(difference).toBeLessThan(0.012);
  }
});
