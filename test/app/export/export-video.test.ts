// Exports through the real engine: what other programs read in them, and what is left when they fail.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decode } from "fast-png";
import type { ExportFormat } from "../../../contract/channels/exports.ts";
import { EngineClient } from "../../../app/engine/client.ts";
import { exportVideo } from "../../../app/export/export-video.ts";
import { exportToTemporary } from "../../../app/export/temporary.ts";
import { readVideoSettings } from "../../../app/media/video-record.ts";
import { probe } from "../media/encoded-clip.ts";
import { makeVideo, psnr, record, rgbFrames, type SourceVideo } from "./source-video.ts";
import { zipEntries } from "./zip-entries.ts";

const formats: ExportFormat[] = ["mp4", "webm", "gif", "png"];

let folder = "";
let out = "";
let engine: EngineClient;
let video: SourceVideo;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-export-test-"));
  engine = new EngineClient(join(import.meta.dirname, "../../../build/Release/rushes.node"));
  video = await makeVideo(join(folder, "A red ball.mp4"), [160, 96, 20]);
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => void (out = mkdtempSync(join(folder, "out-"))));
afterEach(() => rmSync(out, { recursive: true, force: true }));

describe("each form", () => {
  test("MP4 is the video itself, settings included", async () => {
    const { path, bytes } = await exportVideo(engine, video, "mp4", out);
    expect(path).toBe(join(out, "A red ball.mp4"));
    expect(Buffer.compare(readFileSync(path), readFileSync(video.path))).toBe(0);
    expect(bytes).toBe(readFileSync(video.path).length);
    expect(await readVideoSettings(path)).toEqual({ container: "mp4", record });
  });

  test("WebM is VP9 of the same size, time and colours, close to the original, settings inside", async () => {
    const { path, bytes } = await exportVideo(engine, video, "webm", out);
    expect(bytes).toBe(readFileSync(path).length);
    expect(probe(path)).toMatchObject({
      codec_name: "vp9",
      pix_fmt: "yuv420p",
      color_range: "tv",
      color_space: "bt709",
      color_transfer: "bt709",
      color_primaries: "bt709",
      width: 160,
      height: 96,
      avg_frame_rate: "16/1",
      nb_read_frames: "20",
    });
    expect(closest(path)).toBeGreaterThan(40);
    expect(await readVideoSettings(path)).toEqual({ container: "webm", record });
    expect(await readVideoSettings(readFileSync(path))).toEqual({ container: "webm", record });
  });

  test("GIF loops for ever, keeps the time, and is as close as 256 colours allow", async () => {
    const { path, bytes } = await exportVideo(engine, video, "gif", out);
    const content = readFileSync(path);
    expect(bytes).toBe(content.length);
    expect(content.subarray(0, 6).toString()).toBe("GIF89a");
    expect(content.includes("NETSCAPE2.0\x03\x01\0\0")).toBe(true);
    const { codec_name, nb_read_frames, duration } = probe(path);
    expect({ codec_name, nb_read_frames, duration }).toEqual({
      codec_name: "gif",
      nb_read_frames: "20",
      duration: "1.250000",
    });
    expect(closest(path)).toBeGreaterThan(28);
  });

  test("PNG frames lie in a folder of their own, within two levels of ffmpeg's, settings in the first", async () => {
    const { path, bytes } = await exportVideo(engine, video, "png", out);
    expect(path).toBe(join(out, "A red ball_frames"));
    const names = readdirSync(path).sort();
    expect(names).toEqual(Array.from({ length: 20 }, (_, index) => `${`${index + 1}`.padStart(4, "0")}.png`));
    expect(bytes).toBe(names.reduce((sum, name) => sum + readFileSync(join(path, name)).length, 0));
    expect(furthest(names.map((name) => readFileSync(join(path, name))))).toBeLessThanOrEqual(2);
    expect(await readVideoSettings(join(path, "0001.png"))).toEqual({ container: "png", record });
    await expect(readVideoSettings(join(path, "0002.png"))).rejects.toMatchObject({ code: "video.foreign" });
  });

  test("PNG frames for a download come as one zip file, stored", async () => {
    const download = await exportToTemporary(engine, video, "png", { folder: out });
    expect(download).toMatchObject({ name: "A red ball_frames.zip", mediaType: "application/zip" });
    const zip = readFileSync(download.path);
    const entries = zipEntries(zip);
    expect(entries.map(({ name }) => name)).toEqual(
      Array.from({ length: 20 }, (_, index) => `A red ball_frames/${`${index + 1}`.padStart(4, "0")}.png`),
    );
    for (const entry of entries) expect(entry).toMatchObject({ method: 0, isWhole: true });
    zip[200] = zip[200]! ^ 1; // a bit of the first picture
    expect(zipEntries(zip).map(({ isWhole }) => isWhole)).toEqual(entries.map((_, index) => index > 0));
    await download.remove();
    await download.remove();
    expect(readdirSync(out)).toEqual([]);
  });

  test.each([
    [8, "8/1"],
    [24, "24/1"],
    [30, "30/1"],
  ])("%i frames a second stay so", async (frameRate, ratio) => {
    const source = await makeVideo(join(out, "rate.mp4"), [32, 32, 9], frameRate);
    const webm = await exportVideo(engine, source, "webm", out);
    expect(probe(webm.path)).toMatchObject({ avg_frame_rate: ratio, nb_read_frames: "9" });
    const gif = await exportVideo(engine, source, "gif", out);
    expect(Math.abs(Number(probe(gif.path).duration) - 9 / frameRate)).toBeLessThan(0.0101);
  });

  test("a single frame, and sizes that are no multiple of 16", async () => {
    const source = await makeVideo(join(out, "small.mp4"), [34, 18, 1]);
    for (const format of formats) {
      const { path } = await exportVideo(engine, source, format, join(out, "one/"));
      const file = format === "png" ? join(path, "0001.png") : path;
      expect(rgbFrames(file, source), format).toHaveLength(1);
    }
  });

  test("a record given by the caller takes the file's place; none leaves none", async () => {
    const other = { ...record, job: "other" };
    const { path } = await exportVideo(engine, { ...video, record: other }, "webm", out);
    expect((await readVideoSettings(path)).record.job).toBe("other");
    const bare = await exportVideo(engine, { ...video, record: null }, "webm", out);
    await expect(readVideoSettings(bare.path)).rejects.toMatchObject({ code: "video.foreign" });
  });
});

describe("where it goes", () => {
  test.each(formats)("%s: a taken name gets -2, then -3, and nothing is overwritten", async (format) => {
    const paths = [];
    for (let round = 0; round < 3; round++) paths.push((await exportVideo(engine, video, format, out)).path);
    const [first, second, third] = paths.map((path) => basename(path));
    expect(second).toBe(format === "png" ? `${first}-2` : first!.replace(".", "-2."));
    expect(third).toBe(format === "png" ? `${first}-3` : first!.replace(".", "-3."));
    expect(readdirSync(out)).toHaveLength(3);
  });

  test("a path names the file, its ending is added, folders are made; .zip makes one file of the frames", async () => {
    expect((await exportVideo(engine, video, "gif", join(out, "a/b/ball"))).path).toBe(join(out, "a/b/ball.gif"));
    const zip = await exportVideo(engine, video, "png", join(out, "frames.zip"));
    expect(zip.path).toBe(join(out, "frames.zip"));
    expect(readFileSync(zip.path).subarray(0, 4)).toEqual(Buffer.from("PK\x03\x04"));
  });

  test.each(formats)("%s: a folder that cannot be is file.unwritable", async (format) => {
    writeFileSync(join(out, "file"), "");
    await expect(exportVideo(engine, video, format, join(out, "file/"))).rejects.toMatchObject({
      code: "file.unwritable",
    });
    expect(readdirSync(out)).toEqual(["file"]);
  });

  test("a full disk is disk.full and leaves nothing, whatever the form", async ({ skip }) => {
    const mount = join(out, "small");
    mkdirSync(mount);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k", "tmpfs", mount], { stdio: "ignore" });
    } catch {
      skip("no right to mount a small file system");
    }
    try {
      for (const format of formats) {
        await expect(exportVideo(engine, video, format, mount), format).rejects.toMatchObject({ code: "disk.full" });
        expect(readdirSync(mount), format).toEqual([]);
        const download = exportToTemporary(engine, video, format, { folder: mount });
        await expect(download, format).rejects.toMatchObject({ code: "disk.full" });
        expect(readdirSync(mount), format).toEqual([]);
      }
    } finally {
      execFileSync("umount", [mount]);
    }
  });
});

describe("sources that are not what they should be", () => {
  test.each(formats)("%s: a missing one is file.unreadable", async (format) => {
    const source = { path: join(out, "none.mp4") };
    await expect(exportVideo(engine, source, format, out)).rejects.toMatchObject({ code: "file.unreadable" });
    expect(readdirSync(out)).toEqual([]);
  });

  test.each([0, 8, 200, 1500, 4000, -1])("cut after %i bytes it is file.unreadable", async (size) => {
    const path = join(out, "cut.mp4");
    const whole = readFileSync(video.path);
    writeFileSync(path, whole);
    truncateSync(path, size < 0 ? whole.length + size : size);
    for (const format of ["webm", "gif", "png"] as const)
      await expect(exportVideo(engine, { path }, format, out), format).rejects.toMatchObject({
        code: "file.unreadable",
      });
    expect(readdirSync(out)).toEqual(["cut.mp4"]);
  });

  test("a WebM, a text and a folder are file.unreadable", async () => {
    const webm = await exportVideo(engine, video, "webm", out);
    const text = join(out, "text.mp4");
    writeFileSync(text, "not a video");
    for (const path of [webm.path, text, out])
      await expect(exportVideo(engine, { path }, "gif", join(out, "x/"))).rejects.toMatchObject({
        code: "file.unreadable",
      });
  });

  test("damaged pictures are file.unreadable or exported, and the engine lives", async () => {
    const path = join(out, "damaged.mp4");
    const whole = readFileSync(video.path);
    for (let trial = 0; trial < 12; trial++) {
      const bytes = Buffer.from(whole);
      // From the middle on it is pictures, the head lies before.
      for (let flip = 0; flip < 5; flip++) {
        const at = Math.floor(bytes.length / 2) + ((trial * 7919 + flip * 104_729) % (bytes.length >> 1));
        bytes[at] = bytes[at]! ^ (1 << ((flip + trial) % 8));
      }
      writeFileSync(path, bytes);
      const failure = await exportVideo(engine, { path }, "gif", join(out, "x/")).then(
        () => null,
        (error: { code: string }) => error.code,
      );
      expect([null, "file.unreadable"]).toContain(failure);
    }
    expect((await engine.call("machine", [])).libraries["libvpx"]).toMatch(/^\d/);
  });

  test("an unknown form is export.unsupported", async () => {
    const failure = exportVideo(engine, video, "avi" as ExportFormat, out);
    await expect(failure).rejects.toMatchObject({ code: "export.unsupported" });
  });
});

describe("while it runs", () => {
  let long: SourceVideo;
  beforeAll(async () => void (long = await makeVideo(join(folder, "long.mp4"), [640, 384, 81])));

  test.each(["webm", "gif", "png"] as const)("%s: progress grows to one", async (format) => {
    const seen: number[] = [];
    await exportVideo(engine, video, format, out, { onProgress: (fraction) => seen.push(fraction) });
    expect(seen.length).toBeGreaterThan(10);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect([seen[0]! < 0.2, seen.at(-1)]).toEqual([true, 1]);
  });

  test.each(["webm", "gif", "png"] as const)("%s: cancelling ends it soon and leaves nothing", async (format) => {
    const abort = new AbortController();
    let cancelled = 0;
    const failure = exportVideo(engine, long, format, out, {
      signal: abort.signal,
      onProgress: (fraction) => {
        if (fraction < 0.05 || cancelled > 0) return;
        cancelled = performance.now();
        setTimeout(() => abort.abort(), 0);
      },
    });
    await expect(failure).rejects.toMatchObject({ code: "export.cancelled" });
    // A second is promised; a busy machine gets more. Without the order it would not have been refused.
    expect(performance.now() - cancelled).toBeLessThan(20_000);
    expect(readdirSync(out)).toEqual([]);
  });

  test("cancelled before it begins", async () => {
    for (const format of formats)
      await expect(exportVideo(engine, video, format, out, { signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: "export.cancelled",
      });
  });

  test("the engine's process may die: engine.crashed, nothing left, and the next one succeeds", async () => {
    const own = new EngineClient(join(import.meta.dirname, "../../../build/Release/rushes.node"));
    try {
      const failure = exportVideo(own, long, "webm", out, {
        onProgress: () => own.processId && process.kill(own.processId, "SIGKILL"),
      });
      await expect(failure).rejects.toMatchObject({ code: "engine.crashed" });
      expect(readdirSync(out)).toEqual([]);
      await exportVideo(own, video, "webm", out);
    } finally {
      await own.close();
    }
  });

  test("runs beside a long computation of the same engine, and cancelling it does not end that", async () => {
    const own = new EngineClient(join(import.meta.dirname, "../../../build/Release/rushes.node"));
    try {
      let computing = true;
      const computation = own.call("bench", [{ filter: "linear", quick: true, threads: 1 }]);
      void computation.catch(() => {}).then(() => (computing = false));
      await exportVideo(own, video, "png", out);
      const abort = new AbortController();
      const failure = exportVideo(own, long, "webm", out, { signal: abort.signal, onProgress: () => abort.abort() });
      await expect(failure).rejects.toMatchObject({ code: "export.cancelled" });
      const alive = own.processId;
      expect([computing, alive !== null]).toEqual([true, true]);
    } finally {
      await own.close();
    }
  });

  test("two at once do not disturb each other", async () => {
    const [gif, png] = await Promise.all([
      exportVideo(engine, video, "gif", out),
      exportVideo(engine, video, "png", out),
    ]);
    expect(closest(gif.path)).toBeGreaterThan(28);
    expect(readdirSync(png.path)).toHaveLength(20);
  });
});

describe("downloads", () => {
  test.each([
    ["mp4", "A red ball.mp4", "video/mp4"],
    ["webm", "A red ball.webm", "video/webm"],
    ["gif", "A red ball.gif", "image/gif"],
  ] as const)("%s has its name and media type, and goes when it is removed", async (format, name, mediaType) => {
    const download = await exportToTemporary(engine, video, format, { folder: out });
    expect(download).toMatchObject({ name, mediaType, bytes: readFileSync(download.path).length });
    await download.remove();
    expect(readdirSync(out)).toEqual([]);
  });

  test("what a killed program left is removed, what a living one has is kept", async () => {
    const ended = execFileSync(process.execPath, ["-p", "process.pid"]).toString().trim();
    mkdirSync(join(out, `rushes-export-${ended}-abc`));
    mkdirSync(join(out, `rushes-export-${process.ppid}-abc`));
    mkdirSync(join(out, "other"));
    const download = await exportToTemporary(engine, video, "mp4", { folder: out });
    await download.remove();
    expect(readdirSync(out).sort()).toEqual(["other", `rushes-export-${process.ppid}-abc`]);
    expect(existsSync(dirname(download.path))).toBe(false);
  });

  test("a folder that is not there is file.unwritable", async () => {
    const failure = exportToTemporary(engine, video, "gif", { folder: join(out, "none") });
    await expect(failure).rejects.toMatchObject({ code: "file.unwritable" });
  });
});

/** Of the worst picture, dB, against ffmpeg's own decoding of the source. */
function closest(path: string): number {
  const [want, got] = [rgbFrames(video.path, video), rgbFrames(path, video)];
  expect(got).toHaveLength(want.length);
  return Math.min(...got.map((picture, index) => psnr(picture, want[index]!)));
}

/** The greatest difference of any value, levels. */
function furthest(pngs: Buffer[]): number {
  const want = rgbFrames(video.path, video);
  let most = 0;
  for (const [index, png] of pngs.entries())
    for (const [at, value] of decode(png).data.entries()) most = Math.max(most, Math.abs(value - want[index]![at]!));
  return most;
}
