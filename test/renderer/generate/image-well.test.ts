// The first picture's place: as the frame cuts it, in the frame's shape however tall; what it says of models; and the stage of
// a job that begins with a picture.
import { page } from "vitest/browser";
import { beforeEach, expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import type { DraftCheck } from "../../../contract/channels/generate.ts";
import type { ModelEntry } from "../../../contract/channels/models.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { inputPicture } from "../../../renderer/views/generate/input-picture.svelte.ts";
import ImageWell from "../../../renderer/views/generate/ImageWell.svelte";
import { checkOf, demoModel, jobOf, ScriptedStudio } from "../scripted-studio.ts";

const pictureModel: ModelEntry = {
  ...demoModel,
  id: "moving",
  name: "Moving Pictures",
  builtIn: false,
  capabilities: ["distilled", "i2v", "twoExperts"],
};

let studio: ScriptedStudio;
let change: Partial<DraftCheck>;

beforeEach(() => {
  change = { automatic: { model: "moving" } };
  studio = new ScriptedStudio({ "generate:check": ({ draft }) => checkOf(draft.values, change) });
  studio.models = [demoModel, pictureModel];
  form.replace({}, null, null);
  return studio.connect(jobs, liveJob, models, form);
});

/** A picture of 80 x 40 pixels, half transparent. */
async function pictureFile(): Promise<File> {
  const canvas = Object.assign(document.createElement("canvas"), { width: 80, height: 40 });
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  return new File([blob!], "cat.png", { type: "image/png" });
}

async function shown(frameSize: { width: number; height: number }, imageFit: "fill" | "fit" | "stretch") {
  change = { ...change, frameSize };
  form.replace({ mode: "i2v", model: "moving", imageFit }, null, form.picture);
  await inputPicture.use(await pictureFile());
  const well = page.getByRole("region", { name: "First picture" });
  await expect.element(well.getByText(new RegExp(`${frameSize.width}\\s×\\s${frameSize.height}`))).toBeVisible();
  const image = well.getByRole("img", { name: "First picture" });
  await expect.poll(() => (image.element() as HTMLImageElement).naturalWidth).toBe(80);
  const box = (element: Element) => element.getBoundingClientRect();
  return { picture: box(image.element()), frame: box(image.element().parentElement!) };
}

test.each([
  [{ width: 128, height: 128 }, "fill", 2, 1],
  [{ width: 128, height: 128 }, "fit", 1, 0.5],
  [{ width: 128, height: 128 }, "stretch", 1, 1],
  [{ width: 720, height: 1280 }, "fill", 32 / 9, 1],
  [{ width: 176, height: 96 }, "fit", 1, 176 / 2 / 96],
] as const)("in a frame of %o with %s it lies where the video has it", async (size, fit, across, down) => {
  await render(ImageWell);
  const { picture, frame } = await shown(size, fit);
  expect(frame.width / frame.height).toBeCloseTo(size.width / size.height, 1);
  expect(frame.height).toBeLessThan(230);
  expect(picture.width / frame.width).toBeCloseTo(across, 1);
  expect(picture.height / frame.height).toBeCloseTo(down, 1);
  expect(picture.x + picture.width / 2).toBeCloseTo(frame.x + frame.width / 2, 0);
  expect(picture.y + picture.height / 2).toBeCloseTo(frame.y + frame.height / 2, 0);
});

test("a model of text that is chosen offers the one that can begin with a picture", async () => {
  form.replace({ mode: "i2v", model: "demo" }, null, null);
  await render(ImageWell);
  await page.getByRole("button", { name: /Moving Pictures/ }).click();
  expect(form.value("model")).toBe("moving");
  await expect.element(page.getByRole("button", { name: /Moving Pictures/ })).not.toBeInTheDocument();
});

test("a job that begins with a picture shows its stage before it has said its own, one of text does not", async () => {
  const running = (mode: "t2v" | "i2v") => jobOf(1, { state: "running", mode, startedAt: Date.now() });
  for (const [mode, stages] of [
    ["i2v", ["text", "image", "load", "sample", "decode", "save"]],
    ["t2v", ["text", "load", "sample", "decode", "save"]],
  ] as const) {
    studio.queue = { ...studio.queue, running: running(mode) };
    jobs.refresh();
    await expect.poll(() => liveJob.stages.map(({ id }) => id)).toEqual(stages);
  }
});
