// The queue in the window with real jobs: its order by pointer and keyboard, editing, pausing, taking out, many prompts at
// once, and what failed once more.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Locator } from "playwright-core";
import { makeFailure, makeQueue } from "./filled-studio.ts";
import { StudioWindow } from "./studio-window.ts";

const prompts = ["A blue star shines", "A white swan on a lake", "Night rain on a street", "A yellow kite in the wind"];
let studio: StudioWindow;
let [one, two, three, four] = [0, 0, 0, 0];
beforeAll(async () => {
  studio = await StudioWindow.open();
  [one, two, three, four] = (await makeQueue(studio.server, prompts)) as [number, number, number, number];
  await studio.go("Queue");
  await row(prompts[3]!).waitFor();
});
afterAll(() => studio?.close());
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

const row = (prompt: string) =>
  studio.page.getByRole("list", { name: "Waiting" }).getByRole("group", { name: new RegExp(`^\\d+\\. ${prompt}`) });
const waiting = async () => (await studio.request("queue:state", {})).waiting.map(({ id }) => id);
const shown = async () => {
  const ids = await studio.page.locator("[data-job]").evaluateAll((rows) => rows.map((row) => row.dataset["job"]));
  return ids.map(Number);
};
/** The studio's order and the window's. */
const order = async (expected: readonly number[], what: string) => {
  await studio.until(async () => (await waiting()).join() === expected.join(), `${what}: ${expected.join()}`);
  await studio.until(async () => (await shown()).join() === expected.join(), `${what}, in the window`);
};
const detailOf = async (jobId: number) => (await studio.request("history:detail", { jobId })).detail;

describe("the order", () => {
  test("is changed by dragging", async () => {
    await order([one, two, three, four], "the order of adding");
    await drag(row(prompts[0]!), row(prompts[2]!), 2);
    await order([two, three, one, four], "dragged behind the third");
  });

  test("is changed by Alt and the arrow keys, and the focus stays with the job", async () => {
    const edit = studio.button("Edit", row(prompts[3]!));
    await edit.focus();
    await studio.page.keyboard.press("Alt+ArrowUp");
    await order([two, three, four, one], "one up");
    await studio.page.keyboard.press("Alt+ArrowUp");
    await order([two, four, three, one], "two up");
    expect(await edit.evaluate((button) => button === button.ownerDocument.activeElement)).toBe(true);
    await studio.page.keyboard.press("Alt+ArrowDown");
    await order([two, three, four, one], "one down");
  });

  test("takes a job to the front", async () => {
    await studio.button("Run next", row(prompts[0]!)).click();
    await order([one, two, three, four], "run next");
  });
});

/** Takes hold of a row with the mouse and lets it go on the place of another one, once that has made room. */
async function drag(from: Locator, to: Locator, place: number): Promise<void> {
  const { mouse } = studio.page;
  const [start, end] = [(await from.boundingBox())!, (await to.boundingBox())!];
  const x = start.x + 120;
  await mouse.move(x, start.y + start.height / 2);
  await mouse.down();
  for (let step = 1; step <= 12; step++) {
    await mouse.move(x + (step % 2), start.y + start.height / 2 + ((end.y - start.y + 4) * step) / 12);
    await studio.page.waitForTimeout(40);
  }
  const rows = studio.page.getByRole("list", { name: "Waiting" }).locator("> li");
  const shadowPlace = () =>
    rows.evaluateAll((items) => items.findIndex(({ classList }) => classList.contains("shadow")));
  await studio.until(async () => (await shadowPlace()) === place, "the row under the pointer to make room");
  await mouse.up();
}

test("a waiting job is edited in its place", async () => {
  const { page } = studio;
  await studio.button("Edit", row(prompts[1]!)).click();
  const bar = page.getByRole("group", { name: `Editing job ${two}` });
  await bar.waitFor();
  expect(await studio.prompt.inputValue()).toBe(prompts[1]);
  await studio.prompt.fill("A white swan on a green lake");
  await studio.type("Sigma Max", 140);
  await studio.button("Save", bar).click();
  await bar.waitFor({ state: "hidden" });
  const { prompt, settings, state } = await detailOf(two);
  expect({ prompt, sigmaMax: settings.sigmaMax, state }).toEqual({
    prompt: "A white swan on a green lake",
    sigmaMax: 140,
    state: "queued",
  });
  // It leads back to the queue, and the form is the person's own again.
  await order([one, two, three, four], "the same order");
  await studio.go("Generate");
  await studio.until(async () => (await studio.prompt.inputValue()) === "", "the form as it was");
  await studio.go("Queue");
});

test("a job that is taken out comes back to its place", async () => {
  await studio.button("Remove", row(prompts[2]!)).click();
  await order([one, two, four], "without the third");
  await studio.button("Undo").click();
  await order([one, two, three, four], "with the third in its place");
  await studio.button("Remove", row(prompts[2]!)).click();
  await order([one, two, four], "without the third for good");
});

test("many prompts at once: looked at, then added", async () => {
  const { page } = studio;
  await studio.button("Many prompts").click();
  const dialog = page.getByRole("dialog", { name: "Many prompts" });
  await dialog.getByRole("textbox", { name: "Prompts" }).fill("A {red|blue} ball bounces\n\nThe sun sets over the sea");
  await dialog.getByText("The sun sets over the sea").last().waitFor();
  const list = await dialog.getByRole("list", { name: "What it comes to" }).getByRole("listitem").allInnerTexts();
  expect(list.map((text) => text.trim())).toEqual([
    "A red ball bounces",
    "A blue ball bounces",
    "The sun sets over the sea",
  ]);
  await dialog.getByRole("button", { name: "Add 3 to queue" }).click();
  await dialog.waitFor({ state: "hidden" });
  const added = (await waiting()).slice(3);
  expect(await Promise.all(added.map(async (id) => (await detailOf(id)).prompt))).toEqual([
    "A red ball bounces",
    "A blue ball bounces",
    "The sun sets over the sea",
  ]);
  await studio.request("queue:remove", { jobIds: added });
  await order([one, two, four], "as before");
});

describe("pause and resume", () => {
  test("everything runs in the order that was set", async () => {
    await studio.button("Resume").click();
    for (const id of [one, two, four]) expect(await studio.server.finished(id)).toMatchObject({ state: "done" });
    const begun = await Promise.all([one, two, four].map(async (id) => (await detailOf(id)).startedAt!));
    expect(begun).toEqual(begun.toSorted((earlier, later) => earlier - later));
    await studio.page.getByRole("heading", { name: "Nothing waits" }).waitFor();
  });

  test("a pause in the middle of a job gives the memory back; the job continues after it", async () => {
    const { page } = studio;
    const values = { prompt: "A long way home", width: 256, height: 256, numFrames: 49, numSteps: 4 };
    const jobId = await studio.server.add(values);
    await studio.until(async () => (await detailOf(jobId)).steps.length >= 1, "a finished step");
    await studio.button("Pause").click();
    await page.getByText("Paused: model memory released").waitFor();
    expect((await detailOf(jobId)).state).toBe("queued");
    const warm = async () => (await studio.request("machine:state", {})).machine.warm;
    await studio.until(async () => (await warm()) === null, "the memory to be given back");
    await studio.button("Resume").click();
    const { state, resumedFromStep } = await studio.server.finished(jobId, 180_000);
    expect(state).toBe("done");
    expect(resumedFromStep).toBeGreaterThanOrEqual(1);
  });
});

test("stop and keep makes a video of what is there", async () => {
  const values = { prompt: "A short way home", width: 256, height: 256, numFrames: 49, numSteps: 4, seed: 9 };
  const jobId = await studio.server.add(values);
  const keep = studio.button("Stop and keep");
  await studio.until(async () => (await keep.isVisible()) && (await keep.isEnabled()), "something to keep");
  await keep.click();
  const { state, video } = await studio.server.finished(jobId);
  expect(state).toBe("done");
  expect(video!.frames).toBe(49);
});

test("what failed says why, and runs once the cause is mended", async () => {
  const { jobId, mend } = await makeFailure(studio.server, "A lone sailing boat");
  const card = studio.page.getByRole("region", { name: "Failed lately" });
  await card.getByText("There is no file").waitFor();
  mend();
  await studio.button("Retry", card).click();
  await studio.until(async () => (await detailOf(jobId)).state === "done", "the job to be done");
  await card.waitFor({ state: "hidden" });
});
