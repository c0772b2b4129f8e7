// Makes 24 clips with the built program, one of each sentence below with its number as the seed, and draws them on one sheet,
// docs/demo-model.jpg, for people to look at. Not a test.
//   npm run contact-sheet
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { chromiumLaunch } from "../chromium-launch.ts";
import { runRushes } from "../run-rushes.ts";

const sentences = [
  "A red ball bounces on a blue background",
  "a large yellow star spins on a purple background",
  "a small green triangle moves to the left on a white background",
  "a cyan ring grows on a black background",
  "an orange square moves in a circle on a gray background",
  "a pink star falls on a blue background",
  "a white ball rises on a green background",
  "a black square shrinks on a yellow background",
  "a large purple ring moves to the right on an orange background",
  "a blue triangle bounces up and down on a pink background",
  "a green star stays still on a cyan background",
  "a red square rotates on a white background",
  "a yellow ball moves up and a blue square moves down on a black background",
  "a red triangle spins and a white ring grows on a green background",
  "a pink ball bounces while a cyan star stays still on a purple background",
  "an orange ring falls and a black ball rises on a white background",
  "a purple square moves to the right and a yellow triangle moves to the left on a gray background",
  "a green ball shrinks and a red ball grows on a yellow background",
  "the sun rises over the sea by day",
  "the sun sets over the sea at sunset",
  "the moon rises over the sea at night",
  "at night, the moon shines over the sea",
  "clouds drift to the left over green hills by day",
  "at sunset, clouds drift to the right over green hills",
];
const size = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };
const shownFrames = [0, 5, 11, 16];
const target = join(import.meta.dirname, "../../docs/demo-model.jpg");

const folder = mkdtempSync(join(tmpdir(), "rushes-sheet-"));
try {
  const prompts = join(folder, "prompts.json");
  writeFileSync(prompts, JSON.stringify(sentences.map((prompt, index) => ({ prompt, seed: index + 1, ...size }))));
  const { videos } = await runRushes<{ videos: { path: string }[] }>(
    ["generate", "--model", "demo", "--prompts-file", prompts],
    join(folder, "library"),
  );
  await draw(videos.map(({ path }) => strip(path)));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Some frames of a video side by side, as a PNG. */
function strip(path: string): Buffer {
  const chosen = shownFrames.map((frame) => `eq(n,${frame})`).join("+");
  const filter = `select='${chosen}',tile=${shownFrames.length}x1:padding=4`;
  const args = ["-v", "error", "-i", path, "-vf", filter, "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"];
  return execFileSync("ffmpeg", args, { maxBuffer: 1 << 26 });
}

async function draw(strips: readonly Buffer[]): Promise<void> {
  const figures = strips.map(
    (png, index) =>
      `<figure><img src="data:image/png;base64,${png.toString("base64")}"><figcaption>${sentences[index]}</figcaption></figure>`,
  );
  const style = `body { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; margin: 12px; font: 12px sans-serif }
    figure { margin: 0 } img { width: 100% }`;
  const browser = await chromium.launch(chromiumLaunch());
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.setContent(`<style>${style}</style>${figures.join("")}`);
  await page.screenshot({ path: target, type: "jpeg", quality: 85, fullPage: true });
  await browser.close();
}
