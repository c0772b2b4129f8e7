// Settings that come from elsewhere into the form: a preset of one's own, TurboDiffusion's config.yaml, a video dropped on the
// window; and the window's own language and theme.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { StudioWindow } from "./studio-window.ts";

const sentence = "A red ball bounces on a blue background";
let studio: StudioWindow;
beforeAll(async () => {
  studio = await StudioWindow.open();
});
afterAll(() => studio?.close());
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

const exact = (setting: string) =>
  studio.page.getByRole("spinbutton", { name: new RegExp(`^${setting}(: exact value)?$`) });
const becomes = (setting: string, value: string) =>
  studio.until(async () => (await exact(setting).inputValue()) === value, `${setting} to be ${value}`);
const presetMenu = () => studio.button(/^Preset:/);
const note = (name: string) => studio.page.getByRole("region", { name });

/** Applies a preset by its name from the menu over the form. */
async function apply(name: string) {
  await presetMenu().click();
  const panel = studio.page.getByRole("dialog", { name: "Choose a preset" });
  await panel.getByRole("button", { name: new RegExp(`^${name}`) }).click();
}

describe("a preset of one's own", () => {
  test("is saved, applied with everything it changes in sight, and undone", async () => {
    const { page } = studio;
    await studio.prompt.fill(sentence);
    await studio.type("Sigma Max", 150);
    await studio.type("SLA Top-K", 0.25);
    await presetMenu().click();
    await studio.button("Save as …").click();
    const dialog = page.getByRole("dialog", { name: "Save as a preset" });
    await dialog.getByRole("textbox", { name: "Name" }).fill("Evening");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "hidden" });
    await studio.button(/^Preset: Evening/).waitFor();

    await studio.type("Sigma Max", 90);
    await studio.choose("Quant Linear", "Int8");
    await studio.button(/^Preset: Evening edited/).waitFor();
    await apply("Evening");
    const applied = note("Preset “Evening” was applied");
    await applied.waitFor();
    const rows = await applied.locator("dl > div").allInnerTexts();
    // What the preset does not say stays as it was.
    expect(rows.map((row) => row.replaceAll(/\s+/g, " "))).toEqual([expect.stringMatching(/Sigma Max.*90.*150/)]);
    await becomes("Sigma Max", "150");
    expect(await studio.prompt.inputValue()).toBe(sentence);

    await studio.button("Undo", applied).click();
    await becomes("Sigma Max", "90");
    await becomes("SLA Top-K", "0.25");
    await applied.waitFor({ state: "hidden" });
  });

  test("TurboDiffusion's config.yaml becomes one, and says what of it could not be used", async () => {
    const { page } = studio;
    await presetMenu().click();
    await studio.button("Manage presets …").click();
    const dialog = page.getByRole("dialog", { name: "Presets" });
    const config = "model:\n  quant_linear: true\n  attention_type: sagesla\n  sla_topk: 0.15\nlearning_rate: 0.1\n";
    const buffer = Buffer.from(config);
    await dialog
      .locator('input[type="file"]')
      .setInputFiles({ name: "config.yaml", mimeType: "application/yaml", buffer });
    await page.getByText("config was imported").waitFor();
    await dialog.getByText(/learning_rate/).waitFor();
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await apply("config");
    await note("Preset “config” was applied").waitFor();
    await becomes("SLA Top-K", "0.15");
    const attention = page.getByRole("radiogroup", { name: "Attention", exact: true });
    await attention.getByRole("radio", { name: "SageSLA", checked: true }).waitFor();
  });
});

test("a video of Rushes dropped anywhere on the window gives its settings back", async () => {
  const { page } = studio;
  const values = { prompt: "A green cube turns on a white background", seed: 77, sigmaMax: 130 };
  const { video } = await studio.server.finished(await studio.server.add(values));
  const name = basename(video!.path);
  await studio.go("Queue");
  await drop(name, readFileSync(video!.path));
  await note(`The settings of ${name} were taken over`).waitFor();
  await studio.until(async () => (await studio.prompt.inputValue()) === values.prompt, "the prompt of the video");
  await becomes("Sigma Max", "130");
  await becomes("Seed", "77");

  // A video of another program, and something that is no video at all, change nothing.
  await drop("foreign.mp4", Buffer.from("no video at all"));
  const notifications = page.getByRole("region", { name: "Notifications" });
  await notifications.getByRole("listitem").filter({ hasText: "This is neither a picture" }).waitFor();
  await becomes("Seed", "77");
  // The answer with an error is one the browser reports by itself, in its own time.
  await studio.until(() => Promise.resolve(studio.complaints.length > 0), "the browser to report the refusal");
  studio.complaints.splice(0).forEach((complaint) => expect(complaint).toMatch(/status of 4\d\d/));
});

/** Lets go of a file over the middle of the window, as a file manager does. */
async function drop(name: string, content: Buffer) {
  await studio.page.evaluate(
    `(() => {
      const bytes = Uint8Array.from(atob(${JSON.stringify(content.toString("base64"))}), (letter) => letter.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], ${JSON.stringify(name)}, { type: "video/mp4" }));
      for (const type of ["dragenter", "dragover", "drop"])
        document.querySelector("main").dispatchEvent(
          new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    })()`,
  );
}

describe("the window itself", () => {
  test("speaks Chinese at once, also after it was loaded again", async () => {
    const { page } = studio;
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByRole("radio", { name: "中文" }).click();
    const chinese = page.getByRole("navigation").getByRole("link", { name: "队列" });
    await chinese.waitFor();
    expect(await page.locator("html").getAttribute("lang")).toMatch(/^zh/);
    await page.reload();
    await chinese.waitFor();
    for (const view of ["generate", "queue", "history", "compare", "models", "settings"]) {
      await page.goto(`${studio.server.address}/#/${view}`);
      await page.locator("main h1").first().waitFor({ state: "attached" });
      expect(await page.locator("main h1").first().innerText()).toMatch(/\p{Script=Han}/u);
    }
    await page.getByRole("radio", { name: "English" }).click();
    await page.getByRole("navigation").getByRole("link", { name: "Queue" }).waitFor();
  });

  test("changes its theme at once and keeps it", async () => {
    const { page } = studio;
    const brightness = async () => {
      const colour = String(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      return Math.max(...(colour.match(/\d+/g) ?? []).slice(0, 3).map(Number));
    };
    expect(await brightness()).toBeLessThan(60);
    await page.getByRole("radio", { name: "Light" }).click();
    await studio.until(async () => (await brightness()) > 200, "a light page");
    await page.reload();
    await page.getByRole("navigation").first().waitFor();
    expect(await brightness()).toBeGreaterThan(200);
    await page.getByRole("radio", { name: "Dark" }).click();
    await studio.until(async () => (await brightness()) < 60, "a dark page");
  });
});
