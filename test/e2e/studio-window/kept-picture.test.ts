// A job's picture comes back into the window with its settings: from a result, from a waiting job, from the last session and
// from the video's own file; and where it cannot, no other one takes its place.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { encode } from "fast-png";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { writeTinyImageModel } from "../../tiny-image-model.ts";
import { StudioWindow } from "./studio-window.ts";

const sentence = "A ball rolls over the table";
let studio: StudioWindow;
let jobId: number;
/** The made video's bytes: 80 x 40 pixels of a picture became 176 x 96 of a video. */
let video: Buffer;
beforeAll(async () => {
  studio = await StudioWindow.open();
  const { folder } = writeTinyImageModel(join(studio.server.library, "tiny pictures"));
  await studio.request("models:add", { path: folder });
  const sent = await studio.server.post("/api/studio/upload", picture(80, 40), { "content-type": "image/png" });
  const { uploadId } = (await sent.json()) as { uploadId: string };
  const drafts = [{ values: { prompt: sentence, seed: 1, numSteps: 1 }, image: { uploadId } }];
  jobId = (await studio.request("queue:add", { drafts })).jobs[0]!.id;
  const made = await studio.server.finished(jobId);
  expect(made, made.error?.sentence).toMatchObject({ state: "done", settings: { width: 176, height: 96 } });
  video = readFileSync(made.video!.path);
});
afterAll(() => studio?.close());
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

function picture(width: number, height: number): Buffer<ArrayBuffer> {
  const data = new Uint8Array(3 * width * height).fill(90);
  return Buffer.from(encode({ width, height, channels: 3, data }));
}

const well = () => studio.page.getByRole("region", { name: "First picture" });

/** Waits until a picture so wide is seen, and gives its address. */
async function shown(width: number): Promise<string> {
  const image = well().locator("img");
  const loaded = async () =>
    (await image.count()) === 1 &&
    (await image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth)) === width;
  await studio.until(loaded, `the picture of ${width} pixels`);
  return (await image.getAttribute("src"))!;
}

const giveOther = () =>
  well()
    .locator("input[type=file]")
    .setInputFiles({ name: "tall.png", mimeType: "image/png", buffer: picture(30, 60) });

/** Lets go of the made video over the middle of the window, as a file manager does. */
async function dropVideo(): Promise<void> {
  await studio.page.evaluate(
    `(() => {
      const bytes = Uint8Array.from(atob(${JSON.stringify(video.toString("base64"))}), (letter) => letter.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], "ball.mp4", { type: "video/mp4" }));
      for (const type of ["dragenter", "dragover", "drop"])
        document.querySelector("main").dispatchEvent(
          new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    })()`,
  );
}

test("Use settings of a result shows its picture, also after the server and the page were started again", async () => {
  const { page } = studio;
  await page.goto(`${studio.server.address}/#/history/${jobId}`);
  await studio.button("Use settings").click();
  expect(await shown(80)).toMatch(/^\/media\/picture\?path=.*inputs/);
  await well().getByText("176 × 96").waitFor();
  const kept = async () => JSON.stringify((await studio.request("studio:session", {})).views).includes("inputs");
  await studio.until(kept, "the session to be kept");
  await studio.restart("SIGINT");
  await page.reload();
  await shown(80);
  await well().getByText("176 × 96").waitFor();
});

test("a waiting job shows its picture while it is edited, and the own one comes back", async () => {
  const { page } = studio;
  await giveOther();
  await shown(30);
  const { detail } = await studio.request("history:detail", { jobId });
  await studio.request("queue:pause", {});
  const drafts = [{ values: { prompt: "The ball waits" }, image: { path: detail.inputImage! } }];
  const waiting = (await studio.request("queue:add", { drafts })).jobs[0]!.id;
  await page.goto(`${studio.server.address}/#/queue`);
  await studio.button("Edit", page.getByRole("list", { name: "Waiting" })).click();
  await page.getByText(`Editing job ${waiting}`).waitFor();
  await shown(80);
  await studio.button("Discard").click();
  await shown(30);
  await studio.request("queue:remove", { jobIds: [waiting] });
});

test("a dropped video of this library brings its own picture in place of the form's", async () => {
  await giveOther();
  await well().getByText("96 × 176").waitFor();
  await dropVideo();
  await studio.page.getByText("The settings of ball.mp4 were taken over").waitFor();
  expect(decodeURIComponent(await shown(80))).toContain(basename((await inputOf())!));
  await well().getByText("176 × 96").waitFor();
  expect(await studio.prompt.inputValue()).toBe(sentence);
});

const inputOf = async () => (await studio.request("history:detail", { jobId })).detail.inputImage;

test("a dropped video that this library does not know leaves the picture's place empty and keeps its size", async () => {
  const { page } = studio;
  await giveOther();
  await shown(30);
  await studio.request("history:delete", { jobIds: [jobId] });
  // The page asks for what it shows once more; what is purged meanwhile is a 404 on its console.
  await page.locator(`video[src$="/media/video/${jobId}"]`).waitFor({ state: "detached" });
  await studio.request("history:purge", { jobIds: [jobId] });
  await dropVideo();
  await page.getByText("The picture it began with is not here. Choose it again.").waitFor();
  await studio.button(/^Drop or paste a picture/, well()).waitFor();
  await giveOther();
  await shown(30);
  await well().getByText("176 × 96").waitFor();
  await studio.button("Remove the picture").press("Enter");
  const invite = studio.button(/^Drop or paste a picture/, well());
  await studio.until(
    () => invite.evaluate((button) => button === button.ownerDocument.activeElement),
    "the focus to stay in the picture's place",
  );
});
