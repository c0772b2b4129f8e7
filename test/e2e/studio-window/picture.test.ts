// From a picture to a video in the window, with the real engine, the model that comes with Rushes and a tiny one: what the first
// picture's place shows, what comes out, and a result's own frame as the next picture.
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { writeTinyImageModel } from "../../tiny-image-model.ts";
import { StudioWindow } from "./studio-window.ts";

const sentence = "A ball rolls over the table";
let studio: StudioWindow;
beforeAll(async () => {
  studio = await StudioWindow.open();
});
afterAll(() => studio?.close());
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

/** Red at the left, blue at the right. */
function picture(width: number, height: number): Buffer {
  const data = new Uint8Array(3 * width * height);
  for (let at = 0; at < width * height; at++) data[3 * at + (at % width < width / 2 ? 0 : 2)] = 255;
  return Buffer.from(encode({ width, height, channels: 3, data }));
}

const detailOf = async (jobId: number) => (await studio.request("history:detail", { jobId })).detail;

test("on a new machine a picture becomes a video with the model that is there", async () => {
  const { page } = studio;
  await page.getByRole("radio", { name: "Image to Video" }).click();
  const well = page.getByRole("region", { name: "First picture" });
  await well
    .locator("input[type=file]")
    .setInputFiles({ name: "square.png", mimeType: "image/png", buffer: picture(128, 128) });
  await well.getByText("128 × 128").waitFor();
  await studio.prompt.fill("a red square moves to the right on a blue background");
  const jobId = await studio.generate();
  await studio.shown(jobId);
  expect(await detailOf(jobId)).toMatchObject({ state: "done", mode: "i2v", model: "demo-i2v" });
  const { width, height } = await studio.pixels(jobId);
  expect([width, height]).toEqual([128, 128]);
  await well.getByRole("button", { name: "Remove the picture" }).click();
});

test("a picture is shown as the frame will cut it, and becomes a video in its shape", async () => {
  const { page } = studio;
  const { folder } = writeTinyImageModel(join(studio.server.library, "tiny pictures"));
  const { models } = await studio.request("models:add", { path: folder });
  expect(models[0]).toMatchObject({
    state: "ready",
    capabilities: expect.arrayContaining(["i2v", "twoExperts"]) as unknown,
  });

  const well = page.getByRole("region", { name: "First picture" });
  await well
    .locator("input[type=file]")
    .setInputFiles({ name: "two colours.png", mimeType: "image/png", buffer: picture(80, 40) });
  await well.getByText("176 × 96").waitFor();
  const frame = await well.locator(".picture").boundingBox();
  expect(frame!.width / frame!.height).toBeCloseTo(176 / 96, 1);
  await studio.prompt.fill(sentence);
  await page.getByRole("region", { name: "Plan" }).getByText("Picture", { exact: true }).waitFor();

  const jobId = await studio.generate();
  await studio.shown(jobId);
  const detail = await detailOf(jobId);
  expect(detail).toMatchObject({ state: "done", mode: "i2v", settings: { width: 176, height: 96, boundary: 0.9 } });
  expect(detail.stages.map(({ stage }) => stage)).toContain("image");
  const { width, height } = await studio.pixels(jobId);
  expect([width, height]).toEqual([176, 96]);
});

test("the picture lies in the well where the video has it, whatever its fit", async () => {
  const { page } = studio;
  const well = page.getByRole("region", { name: "First picture" });
  await page.getByRole("switch", { name: "Match the image's shape" }).click();
  await well.getByText("128 × 128").waitFor();
  const boxes = async () => {
    const [frame, shown] = [await well.locator(".picture").boundingBox(), await well.locator("img").boundingBox()];
    return { frame: frame!, shown: shown! };
  };
  const fits = [
    ["Fill", 2, 1],
    ["Fit", 1, 0.5],
    ["Stretch", 1, 1],
  ] as const;
  for (const [fit, across, down] of fits) {
    await studio.choose("Image fit", fit);
    await studio.until(async () => {
      const { frame, shown } = await boxes();
      const close = (one: number, other: number) => Math.abs(one - other) < 0.02;
      const centred = Math.abs(shown.x + shown.width / 2 - frame.x - frame.width / 2) < 2;
      return close(shown.width / frame.width, across) && close(shown.height / frame.height, down) && centred;
    }, `the picture to ${fit}`);
  }
});

test("a frame of a result begins the next video", async () => {
  const { page } = studio;
  const { ids } = await studio.request("history:find", { filter: { states: ["done"] } });
  await page.goto(`${new URL(page.url()).origin}/#/history/${ids[0]}`);
  await studio.button("As start frame").click();
  const well = page.getByRole("region", { name: "First picture" });
  await well.locator("img").waitFor();
  const jobId = await studio.generate();
  await studio.shown(jobId);
  expect(await detailOf(jobId)).toMatchObject({ state: "done", mode: "i2v" });
});
