// The first picture's place: the picture however it came, as the frame cuts it, in the frame's shape however tall; what it
// says of the size and of models; and the stage of a job that begins with a picture.
import { page, userEvent } from "vitest/browser";
import { beforeEach, expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import type { Draft, DraftCheck } from "../../../contract/channels/generate.ts";
import type { ModelEntry } from "../../../contract/channels/models.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { inputPicture } from "../../../renderer/state/input-picture.svelte.ts";
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
  studio = new ScriptedStudio({ "generate:check": ({ draft }) => checkOf(valuesOf(draft), change) });
  studio.models = [demoModel, pictureModel];
  form.replace({}, null, null);
  return studio.connect(jobs, liveJob, models, form);
});

/** The studio's settings name the picture by its path. */
function valuesOf({ values, image }: Draft): Draft["values"] {
  if (!image) return values;
  return { ...values, image: "path" in image ? image.path : `/uploads/${image.uploadId}.png` };
}

const well = page.getByRole("region", { name: "First picture" });
const picture = well.getByRole("img", { name: "First picture" });
const naturalWidth = () => (picture.element() as HTMLImageElement).naturalWidth;

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
  await expect.element(well.getByText(new RegExp(`${frameSize.width}\\s×\\s${frameSize.height}`))).toBeVisible();
  await expect.poll(naturalWidth).toBe(80);
  const box = (element: Element) => element.getBoundingClientRect();
  return { picture: box(picture.element()), frame: box(picture.element().parentElement!) };
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

test("a picture whose path alone is known is shown, and loaded again when it is chosen again", async () => {
  await render(ImageWell);
  const path = "/pictures/cat ü&1.png";
  const loaded = () =>
    performance.getEntriesByType("resource").filter(({ name }) => new URL(name).searchParams.get("path") === path);
  form.setPicture({ path });
  await expect.poll(naturalWidth).toBe(320);
  for (const times of [2, 3]) {
    inputPicture.usePath(path);
    await expect.poll(() => loaded().length).toBe(times);
  }
  await expect.poll(naturalWidth).toBe(320);
});

test("a picture that cannot be loaded is said, and the next one is shown", async () => {
  await render(ImageWell);
  form.setPicture({ path: "/pictures/gone.png" });
  await expect.element(well.getByText("The picture cannot be shown here.")).toBeVisible();
  form.setPicture({ path: "/pictures/cat.png" });
  await expect.poll(naturalWidth).toBe(320);
});

test("of the video's size nothing is said before the studio says it of this picture, nor where it refuses", async () => {
  const says = well.getByText(/The video will be/);
  const answers = Promise.withResolvers<null>();
  studio.answers["generate:check"] = async ({ draft }) => {
    await answers.promise;
    return checkOf(valuesOf(draft), { ...change, frameSize: { width: 176, height: 96 } });
  };
  await render(ImageWell);
  form.setPicture({ path: "/pictures/cat.png" });
  await expect.poll(naturalWidth).toBe(320);
  expect(says.query()).toBeNull();
  answers.resolve(null);
  await expect.element(well.getByText(/176\s×\s96/)).toBeVisible();

  const refusal = { code: "file.unreadable", sentence: "It is no picture.", advice: "", detail: "" } as const;
  change = { ...change, refusal };
  form.setPicture({ path: "/pictures/words.png" });
  await expect.element(says).not.toBeInTheDocument();
});

test("the keyboard stays in the picture's place when the picture is taken away", async () => {
  await render(ImageWell);
  form.setPicture({ path: "/pictures/cat.png" });
  const remove = well.getByRole("button", { name: "Remove the picture" });
  await expect.element(remove).toBeVisible();
  (remove.element() as HTMLElement).focus();
  await userEvent.keyboard("{Enter}");
  await expect.element(well.getByRole("button", { name: /Drop or paste a picture/ })).toHaveFocus();
});

test("where no model can begin with a picture, its place says what to install", async () => {
  studio.models = [demoModel];
  models.refresh();
  form.replace({ mode: "i2v" }, null, null);
  await render(ImageWell);
  await expect.element(page.getByText(/TurboWan2\.2-I2V-A14B/)).toBeVisible();
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
