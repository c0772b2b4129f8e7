// axe looks at every screen of the real window with content in it, in both themes: the whole page, its landmarks and headings
// included. Nothing is said on the console meanwhile, and nothing breaks the page's policy.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFailure, makeQueue, makeResults } from "./filled-studio.ts";
import { StudioWindow } from "./studio-window.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let studio: StudioWindow;
let failedId = 0;
beforeAll(async () => {
  studio = await StudioWindow.open();
  await makeResults(studio.server);
  ({ jobId: failedId } = await makeFailure(studio.server, "A yellow kite in the wind"));
  await studio.request("presets:save", { name: "Evening", settings: { sigmaMax: 120 } });
  await makeQueue(studio.server, ["A blue star shines", "Night rain on a neon street"]);
});
afterAll(() => studio?.close());

/** Rule, element and what is wrong, one line each. */
async function findings(): Promise<string[]> {
  const { page } = studio;
  if ((await page.evaluate("typeof axe")) === "undefined") await page.evaluate(axe);
  return (await page.evaluate(`(async () => {
    const moving = document.getAnimations().filter((each) => each.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.all(moving.map((each) => each.finished.catch(() => undefined)));
    const { violations } = await axe.run(document, {
      preload: false,
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => id + ": " + target.join(" ") + " " + failureSummary));
  })()`)) as string[];
}

const nothing = () => Promise.resolve();
/** Name, the address's hash, and what is waited for or done there. */
const screens: [string, string, () => Promise<unknown>][] = [
  ["generate", "generate", () => studio.shown(4)],
  ["generate, presets unfolded", "generate", () => studio.button(/^Preset:/).click()],
  ["generate, keys", "generate", () => studio.page.keyboard.press("Shift+?")],
  ["queue", "queue", () => studio.page.getByText("A blue star shines").first().waitFor()],
  ["queue, many prompts", "queue?many=1", () => studio.page.getByRole("dialog", { name: "Many prompts" }).waitFor()],
  ["history", "history", () => studio.page.getByRole("link", { name: /^Result 4:/ }).waitFor()],
  ["a result", "history/3", () => studio.shown(3)],
  ["a failed job", "failed", () => studio.page.getByRole("alert").first().waitFor()],
  ["nothing to compare", "compare", nothing],
  ["comparing", "compare?ids=3,4", () => studio.shown(4)],
  ["models", "models", () => studio.page.getByRole("heading", { name: "Models on this machine" }).waitFor()],
  ["settings", "settings", () => studio.page.getByRole("heading", { name: "This machine" }).waitFor()],
];

describe.each(["dark", "light"])("in the %s theme", (theme) => {
  beforeAll(async () => {
    await studio.page.evaluate(`localStorage.setItem("rushes.theme", ${JSON.stringify(theme)})`);
    await studio.page.reload();
  });

  test.each(screens)("%s", async (_name, place, prepare) => {
    const { page } = studio;
    await page.keyboard.press("Escape");
    await page.evaluate(`location.hash = "#/generate"`);
    await page.evaluate(`location.hash = "#/${place === "failed" ? `history/${failedId}` : place}"`);
    await page.locator("main h1").first().waitFor({ state: "attached" });
    await prepare();
    expect(await findings()).toEqual([]);
    expect(studio.complaints.splice(0)).toEqual([]);
  });
});
