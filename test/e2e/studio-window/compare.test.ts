// Two results beside each other, frame by frame; each way out of the studio (MP4, WebM, GIF, PNG) read back with ffprobe; and
// deleting, taken back.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Download } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { probe, readFrames } from "../../video-frames.ts";
import { makeResults } from "./filled-studio.ts";
import { StudioWindow } from "./studio-window.ts";

const [cube, triangle] = [3, 4];
let studio: StudioWindow;
let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-downloads-"));
  studio = await StudioWindow.open();
  await makeResults(studio.server);
});
afterAll(async () => {
  await studio?.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

const detailOf = async (jobId: number) => (await studio.request("history:detail", { jobId })).detail;
const framesOf = async (jobId: number) => readFrames((await detailOf(jobId)).video!.path).frames;

/** The pixels a video or canvas of the page shows just now, red, green and blue in 0..255. */
async function shownPixels(selector: string): Promise<number[]> {
  return (await studio.page.evaluate(`(() => {
    const picture = document.querySelector(${JSON.stringify(selector)});
    const canvas = document.createElement("canvas");
    canvas.width = picture.videoWidth ?? picture.width;
    canvas.height = picture.videoHeight ?? picture.height;
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data).filter((_, index) => index % 4 !== 3);
  })()`)) as number[];
}
const videoOf = (jobId: number) => `video[src$="/media/video/${jobId}"]`;

/** Which of the frames the pixels are nearest to. */
function nearest(shown: readonly number[], frames: readonly Float32Array[]): number {
  const distances = frames.map((frame) =>
    shown.reduce((sum, value, at) => sum + Math.abs(value - frame[at]! * 255), 0),
  );
  return distances.indexOf(Math.min(...distances));
}

describe("two results", () => {
  test("are chosen in the history and compared with what differs in their settings", async () => {
    const { page } = studio;
    await studio.go("History");
    for (const id of [cube, triangle]) {
      await page.getByRole("link", { name: new RegExp(`^Result ${id}\\b`) }).hover();
      await page.getByRole("checkbox", { name: `Select result ${id}` }).click();
    }
    await studio.button("Compare", page.getByRole("toolbar", { name: "Selection" })).click();
    for (const id of [cube, triangle]) await studio.shown(id);
    const settings = page.getByRole("region", { name: "Settings" });
    await settings.getByText("4 settings differ").waitFor();
    for (const label of ["Prompt", "Seed", "SLA Top-K", "Sigma Max"])
      await settings.getByRole("rowheader", { name: label, exact: true }).waitFor();
    await settings.getByRole("cell", { name: "120" }).waitFor();
  });

  test("show the same frame of both, to the frame, wherever the one bar stands", async () => {
    const { page } = studio;
    const bar = page.getByRole("slider", { name: "Frame", exact: true });
    const files = { [cube]: await framesOf(cube), [triangle]: await framesOf(triangle) };
    await bar.press("Home");
    for (const [keys, frame] of [
      [["End"], 16],
      [["Home", "ArrowRight", "ArrowRight", "ArrowRight"], 3],
      [["PageUp"], 13],
      [["ArrowLeft"], 12],
    ] as const) {
      for (const key of keys) await bar.press(key);
      expect(await bar.getAttribute("aria-valuenow")).toBe(String(frame + 1));
      for (const id of [cube, triangle])
        await studio.until(
          async () => nearest(await shownPixels(videoOf(id)), files[id]!) === frame,
          `frame ${frame} of result ${id}`,
        );
    }
  });

  test("lie over each other under a wipe that the keyboard moves", async () => {
    const { page } = studio;
    await page.getByRole("radio", { name: "Wipe", exact: true }).click();
    const handle = page.getByRole("slider", { name: "Position of the wipe" });
    const before = Number(await handle.getAttribute("aria-valuenow"));
    await handle.press("ArrowRight");
    expect(Number(await handle.getAttribute("aria-valuenow"))).toBeGreaterThan(before);
    await handle.press("Home");
    expect(Number(await handle.getAttribute("aria-valuenow"))).toBe(0);
  });

  test("are subtracted from each other", async () => {
    const { page } = studio;
    await page.getByRole("radio", { name: "Difference", exact: true }).click();
    await page.getByRole("radio", { name: "1×", exact: true }).click();
    const [a, b] = [await shownPixels(videoOf(cube)), await shownPixels(videoOf(triangle))];
    const expected = a.map((value, at) => Math.abs(value - b[at]!));
    const apart = async () => {
      const shown = await shownPixels("canvas");
      return shown.length !== expected.length
        ? Infinity
        : shown.reduce((sum, value, at) => sum + Math.abs(value - expected[at]!), 0) / shown.length;
    };
    await studio.until(async () => (await apart()) < 3, "the difference of the two");
  });
});

describe("an export", () => {
  async function download(format: string): Promise<{ path: string; name: string }> {
    const { page } = studio;
    const [file] = await Promise.all([page.waitForEvent("download"), start(format)]);
    const path = join(folder, `${format}-${file.suggestedFilename()}`);
    await file.saveAs(path);
    return { path, name: nameOf(file) };
  }
  async function start(format: string): Promise<void> {
    await studio.button("Export").click();
    await studio.page.getByRole("menuitem", { name: new RegExp(`^${format}`) }).click();
  }
  const nameOf = (file: Download) => file.suggestedFilename();

  beforeAll(async () => {
    await studio.go("History");
    // The selection ended with the comparison: a click opens again.
    await studio.page.getByRole("link", { name: new RegExp(`^Result ${cube}\\b`) }).click();
    await studio.page.getByRole("heading", { name: `Result ${cube}` }).waitFor();
    await studio.shown(cube);
  });

  test("as MP4 is the video itself", async () => {
    const { path, name } = await download("MP4");
    expect(name).toMatch(/\.mp4$/);
    expect(readFileSync(path).equals(readFileSync((await detailOf(cube)).video!.path))).toBe(true);
  });

  test.each([
    ["WebM", "webm", "vp9", 25],
    ["GIF", "gif", "gif", 40],
  ])("as %s plays everywhere and looks the same", async (format, ending, codec, most) => {
    const { path, name } = await download(format);
    expect(name.endsWith(`.${ending}`)).toBe(true);
    expect(probe(path)).toMatchObject({ codec_name: codec, width: 128, height: 128, nb_read_frames: "17" });
    const [made, original] = [readFrames(path).frames, await framesOf(cube)];
    const difference = made[8]!.reduce((sum, value, at) => sum + Math.abs(value - original[8]![at]!), 0) * 255;
    expect(difference / made[8]!.length).toBeLessThan(most);
  });

  test("as PNG is every frame, in one archive", async () => {
    const { path, name } = await download("PNG");
    expect(name).toMatch(/\.zip$/);
    const bytes = readFileSync(path);
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    let count = 0;
    for (let at = bytes.indexOf(signature); at >= 0; at = bytes.indexOf(signature, at + 1)) count++;
    expect(count).toBe(17);
  });
});

test("what is deleted goes to the trash, and comes back by undo", async () => {
  const { page } = studio;
  await studio.go("History");
  const link = page.getByRole("link", { name: new RegExp(`^Result ${triangle}\\b`) });
  await link.click();
  await studio.shown(triangle);
  await studio.button("Delete", page.getByRole("toolbar", { name: "What to do with it" })).click();
  await studio.until(async () => (await detailOf(triangle)).deletedAt !== null, "the result to be deleted");
  await studio.go("History");
  await page.getByRole("link", { name: new RegExp(`^Result ${cube}\\b`) }).waitFor();
  await link.waitFor({ state: "hidden" });
  await studio.button("Undo").click();
  await link.waitFor();
  expect((await detailOf(triangle)).deletedAt).toBeNull();
  await link.click();
  await studio.shown(triangle);
});
