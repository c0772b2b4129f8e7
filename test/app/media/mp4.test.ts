// Video files as ffprobe and the program itself read them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { muxVideo, readSettings, type VideoRecord } from "../../../app/media/mp4.ts";
import { encodedClip, probe } from "./encoded-clip.ts";

const record: VideoRecord = {
  rushes: 1,
  job: "5c2f",
  model: "demo",
  settings: {
    prompt: 'A "red" ball \\ 红球 🎾 \n second line',
    seed: 9007199254740991,
    slaTopk: 0.1,
    ode: false,
    image: null,
  },
};

describe("the video file", () => {
  let folder = "";
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-mp4-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    [128, 128, 17],
    [96, 160, 5],
    [16, 16, 81],
  ])("%ix%i with %i frames reads cleanly in ffprobe", async (width, height, frameCount) => {
    const path = join(folder, `${width}x${height}.mp4`);
    writeFileSync(
      path,
      await muxVideo(encodedClip(width, height, frameCount), { width, height, frameRate: 16 }, record),
    );
    expect(probe(path)).toMatchObject({
      codec_name: "h264",
      pix_fmt: "yuv420p",
      color_range: "tv",
      color_space: "bt709",
      color_transfer: "bt709",
      color_primaries: "bt709",
      width,
      height,
      avg_frame_rate: "16/1",
      r_frame_rate: "16/1",
      nb_frames: `${frameCount}`,
      nb_read_frames: `${frameCount}`,
      duration: (frameCount / 16).toFixed(6),
    });
  });

  test("holds the settings, and gives them back", async () => {
    const path = join(folder, "settings.mp4");
    writeFileSync(path, await muxVideo(encodedClip(64, 64, 5), { width: 64, height: 64, frameRate: 16 }, record));
    expect(await readSettings(path)).toEqual(record);
  });

  test("starts playing before it is whole: moov lies before mdat, with colours in the track", async () => {
    const bytes = await muxVideo(encodedClip(64, 64, 5), { width: 64, height: 64, frameRate: 16 }, record);
    const text = Buffer.from(bytes).toString("latin1");
    expect(text.indexOf("moov")).toBeGreaterThan(0);
    expect(text.indexOf("moov")).toBeLessThan(text.indexOf("mdat"));
    // colr nclx: primaries 1, transfer 1, matrix 1, full range 0.
    expect(text).toContain("colrnclx\0\x01\0\x01\0\x01\0");
  });

  test("the same packets give the same bytes", async () => {
    const clip = encodedClip(64, 64, 5);
    const form = { width: 64, height: 64, frameRate: 16 };
    const [first, second] = [await muxVideo(clip, form, record), await muxVideo(clip, form, record)];
    expect(Buffer.compare(timeless(first), timeless(second))).toBe(0);
  });

  test("a lost packet, or a stream without parameter sets, is an error", async () => {
    const form = { width: 64, height: 64, frameRate: 16 };
    const clip = encodedClip(64, 64, 9);
    await expect(muxVideo(clip.toSpliced(3, 1), form, record)).rejects.toMatchObject({ code: "engine.internal" });
    await expect(muxVideo(clip.slice(1), form, record)).rejects.toMatchObject({ code: "engine.internal" });
    await expect(muxVideo([], form, record)).rejects.toMatchObject({ code: "engine.internal" });
  });

  test("another program's video and other files have no settings; a missing file is an error", async () => {
    expect(await readSettings(new URL(import.meta.url).pathname)).toBeNull();
    const truncated = join(folder, "truncated.mp4");
    writeFileSync(truncated, readFileSync(join(folder, "settings.mp4")).subarray(0, 200));
    expect(await readSettings(truncated)).toBeNull();
    await expect(readSettings(join(folder, "none.mp4"))).rejects.toMatchObject({ code: "file.unreadable" });
  });
});

/** Without the times of creation and change that the headers hold. */
function timeless(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  for (const box of ["mvhd", "tkhd", "mdhd"]) copy.fill(0, copy.indexOf(box) + 8, copy.indexOf(box) + 24);
  return copy;
}
