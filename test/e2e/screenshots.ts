// Draws every screen of the window, with content, in both themes and three sizes, into .cache/screenshots: for people to look
// at. Not a test.
//   npm run screenshots [-- WORD...]     only pictures whose name has one of the words
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../app/server/serve-process.ts";
import { makeFailure, makeQueue, makeResults } from "./studio-window/filled-studio.ts";
import { StudioWindow } from "./studio-window/studio-window.ts";

const sizes = [
  { width: 1024, height: 700 },
  { width: 1440, height: 900 },
  { width: 3840, height: 2160 },
];
const themes = ["dark", "light"];
const folder = join(projectRoot, ".cache/screenshots");
const wanted = process.argv.slice(2);

interface Screen {
  readonly name: string;
  /** The address's hash. */
  readonly place: string;
  readonly language?: "zh";
  /** Something seen once the screen is complete, and what people do before they look. */
  readonly prepare?: (studio: StudioWindow) => Promise<unknown>;
}

const open = (name: string | RegExp) => (studio: StudioWindow) => studio.button(name).first().click();

const emptyScreens: readonly Screen[] = [
  { name: "generate-first", place: "generate" },
  { name: "queue-empty", place: "queue" },
  { name: "history-empty", place: "history" },
  { name: "compare-empty", place: "compare" },
];

const filledScreens: readonly Screen[] = [
  { name: "generate-result", place: "generate", prepare: (studio) => studio.shown(4) },
  { name: "generate-advanced", place: "generate", prepare: unfoldAdvanced },
  { name: "generate-presets", place: "generate", prepare: open(/^Preset:/) },
  { name: "generate-chinese", place: "generate", language: "zh" },
  { name: "generate-shortcuts", place: "generate", prepare: open("Keyboard shortcuts") },
  { name: "queue", place: "queue" },
  { name: "queue-many", place: "queue?many=1", prepare: writeMany },
  { name: "queue-chinese", place: "queue", language: "zh" },
  { name: "history", place: "history" },
  { name: "history-selection", place: "history", prepare: selectTwo },
  { name: "history-chinese", place: "history", language: "zh" },
  { name: "result", place: "history/3", prepare: (studio) => studio.shown(3) },
  { name: "result-failed", place: "history/5" },
  { name: "compare-side", place: "compare?ids=3,4" },
  { name: "compare-wipe", place: "compare?ids=3,4", prepare: compareBy("Wipe") },
  { name: "compare-difference", place: "compare?ids=3,4", prepare: compareBy("Difference") },
  { name: "models", place: "models" },
  { name: "models-inspector", place: "models", prepare: inspectFirst },
  { name: "settings", place: "settings" },
  { name: "settings-presets", place: "settings", prepare: open(/^Presets/) },
  { name: "settings-chinese", place: "settings", language: "zh" },
];

async function unfoldAdvanced({ page }: StudioWindow) {
  const fold = page.getByRole("button", { name: /^Advanced Settings/ });
  if ((await fold.getAttribute("aria-expanded")) !== "true") await fold.click();
  await fold.scrollIntoViewIfNeeded();
}

async function inspectFirst({ page }: StudioWindow) {
  await page.getByRole("button", { name: "Files", exact: true }).first().click();
  await page
    .getByRole("button", { name: /^Inspect: Transformer/ })
    .first()
    .click();
}

async function writeMany({ page }: StudioWindow) {
  await page
    .getByRole("textbox", { name: "Prompts" })
    .fill("A {red|blue} ball bounces\nA {white|black} swan on a lake");
  await page.getByText("A black swan on a lake").waitFor();
}

async function selectTwo({ page }: StudioWindow) {
  for (const id of [3, 4]) await page.getByRole("checkbox", { name: `Select result ${id}` }).click({ force: true });
}

function compareBy(mode: string) {
  return ({ page }: StudioWindow) => page.getByRole("radio", { name: mode, exact: true }).click();
}

async function draw(studio: StudioWindow, screens: readonly Screen[]): Promise<void> {
  const { page } = studio;
  for (const screen of screens)
    for (const theme of themes)
      for (const size of sizes) {
        const name = `${screen.name}-${size.width}-${theme}`;
        if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
        await page.setViewportSize(size);
        await page.evaluate(`localStorage.setItem("rushes.theme", ${JSON.stringify(theme)});
          localStorage.setItem("rushes.language", ${JSON.stringify(screen.language ?? "en")});
          location.hash = ${JSON.stringify(`#/${screen.place}`)}`);
        await page.reload();
        await page.getByRole("navigation").first().waitFor();
        await page.waitForLoadState("networkidle").catch(() => undefined);
        try {
          await screen.prepare?.(studio);
        } catch (error) {
          console.log(`${name}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
        }
        await page.waitForTimeout(600);
        await page.screenshot({ path: join(folder, `${name}.png`) });
      }
}

mkdirSync(folder, { recursive: true });
if (wanted.length === 0) {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
}
const studio = await StudioWindow.open();
studio.page.setDefaultTimeout(5000);
try {
  await draw(studio, emptyScreens);
  await makeResults(studio.server);
  await makeFailure(studio.server, "A yellow kite in the wind");
  await studio.server.request("presets:save", { name: "My evening look", settings: { sigmaMax: 120, numSteps: 3 } });
  await studio.server.request("presets:save", { name: "Quick tests", settings: { numSteps: 1 } });
  await makeQueue(studio.server, [
    "A blue star shines",
    "Night rain on a neon street",
    "A lone sailing boat at sunset",
  ]);
  await draw(studio, filledScreens);
  for (const complaint of new Set(studio.complaints)) console.log(complaint);
} finally {
  await studio.close();
}
