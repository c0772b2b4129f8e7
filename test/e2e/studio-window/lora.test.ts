// A LoRA in the window: chosen from the list, run, read in the history, taken over from a result and from a preset.
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { projectRoot } from "../../app/server/serve-process.ts";
import { StudioWindow } from "./studio-window.ts";

const sentence = "a red ball bounces";
const file = "night-palette.safetensors";
let studio: StudioWindow;
beforeAll(async () => {
  studio = await StudioWindow.open();
});
afterAll(() => studio?.close());
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

const strength = () => studio.page.getByRole("spinbutton", { name: `Strength: ${file}: exact value` });
const control = () => studio.page.getByRole("group", { name: "LoRA", exact: true }).first();

test("is chosen by its name, runs, and comes back with a result's settings and with a preset", async () => {
  const { page } = studio;
  await studio.prompt.fill(sentence);
  await studio.choose("Resolution", "96×96");
  await studio.unfold();
  await studio.button("Add a LoRA").click();
  await page.getByRole("menuitem", { name: new RegExp(`^${file} rank 4`) }).click();
  await strength().fill("0.5");
  await strength().press("Tab");
  const jobId = await studio.generate();
  await studio.shown(jobId);
  const { detail } = await studio.request("history:detail", { jobId });
  const path = join(projectRoot, "models/demo/loras", file);
  expect(detail.settings.loras).toEqual([{ file: path, strength: 0.5, expert: "both" }]);

  await studio.button(/^Preset:/).click();
  await studio.button("Save as …").click();
  const dialog = page.getByRole("dialog", { name: "Save as a preset" });
  await dialog.getByRole("textbox", { name: "Name" }).fill("At night");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "hidden" });
  const { presets } = await studio.request("presets:list", {});
  expect(presets.find(({ name }) => name === "At night")?.settings.loras).toMatchObject([{ file }]);

  await studio.button(/^New/).first().click();
  await strength().waitFor({ state: "detached" });
  await studio.button(/^Preset:/).click();
  const panel = page.getByRole("dialog", { name: "Choose a preset" });
  await panel.getByRole("button", { name: /^At night/ }).click();
  await strength().waitFor();

  await studio.button(/^New/).first().click();
  await strength().waitFor({ state: "detached" });
  await page.goto(`${studio.server.address}/#/history/${jobId}`);
  await page.getByText(`${file}: 0.5 (Both)`).waitFor();
  await studio.button("Use settings").first().click();
  await strength().waitFor();
  expect(await strength().inputValue()).toBe("0.5");
  expect(await control().innerText()).not.toMatch(/may not be used/);
  const again = await studio.generate();
  await studio.shown(again);
  const { detail: second } = await studio.request("history:detail", { jobId: again });
  expect(second.settings.loras).toEqual(detail.settings.loras);
});
