// The file as others see it: ffprobe reads it without a word of complaint, Chromium plays it to the end and shows the
// pixels that ffmpeg decodes.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
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
  /** What the page hands back after playing. */
  interface Played {
    duration: number;
    width: number;
    height: number;
    shown: number;
    ended: boolean;
    /** RGBA of the first and of the last frame. */
    first: number[];
    last: number[];
  }
  let played: Played;

  // Plain script: it runs in the page, not here. A frame counts as shown when the browser presents it.
  const page = `<!doctype html><title>rushes</title><video id="video" muted></video>
<script>
async function play(name) {
  const video = document.getElementById("video");
  const pixels = () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
  };
  const once = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener("error", () => reject(new Error(video.error.message)), { once: true });
  });
  video.src = name;
  await once("canplaythrough");
  video.currentTime = 0.03;
  await once("seeked");
  const first = pixels();
  video.currentTime = 0;
  await once("seeked");
  const ended = once("ended");
  await video.play();
  await ended;
  return { duration: video.duration, width: video.videoWidth, height: video.videoHeight, shown: video.getVideoPlaybackQuality().totalVideoFrames, ended: video.ended, first, last: pixels() };
}
</script>`;

  beforeAll(async () => {
    const server = await serve(dirname(path), page);
    const browser = await startChromium();
    try {
      const tab = await browser.newPage();
      await tab.goto(server.url);
      played = (await tab.evaluate(`play(${JSON.stringify(basename(path))})`)) as Played;
    } finally {
      await browser.close();
      await server.close();
    }
  });

  test("plays it to the end", () => {
    expect(played).toMatchObject({ ended: true, width: 128, height: 128 });
    expect(played.duration).toBeCloseTo(17 / 16, 2);
    expect(played.shown).toBeGreaterThanOrEqual(17);
  });
  test.each([
    ["first", 0],
    ["last", 16],
  ] as const)("shows the %s frame as ffmpeg decodes it", (which, index) => {
    const decoded = readFrames(path).frames[index]!;
    let difference = 0;
    for (let place = 0; place < 128 * 128; ++place)
      for (let channel = 0; channel < 3; ++channel)
        difference += Math.abs(played[which][place * 4 + channel]! / 255 - decoded[place * 3 + channel]!);
    // Two players' chroma upsampling and rounding differ by about one level in 255; a wrong range or matrix by ten.
    expect(difference / (128 * 128 * 3)).toBeLessThan(0.012);
  });
});
