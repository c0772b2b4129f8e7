// Makes clips with the built program, each with its number as the seed, and draws them on sheets for people to look at: 24
// sentences on docs/demo-model.jpg, 12 pictures with what comes of them on docs/demo-i2v.jpg. Not a test.
//   npm run contact-sheet [-- demo|demo-i2v]
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "fast-png";
import { chromium } from "playwright";
import { chromiumLaunch } from "../chromium-launch.ts";
import { type Entry, makeClips } from "./clips.ts";
import { drawPictures } from "./pictures.ts";

const sentences = [
  "A red ball bounces on a blue background",
  "a large yellow star spins on a purple background",
  "a small green triangle moves to the left on a white background",
  "a cyan ring grows on a black background",
  "an orange square moves in a circle on a gray background",
  "a pink star falls on a blue background",
  "a white ball rises on a green background",
  "a large purple ring moves to the right on an orange background",
  "a green star stays still on a cyan background",
  "a yellow ball moves up and a blue square moves down on a black background",
  "a red triangle spins and a white ring grows on a green background",
  "a pink ball bounces while a cyan star stays still on a purple background",
  "a purple square moves to the right and a yellow triangle moves to the left on a gray background",
  "the sun rises over the sea by day",
  "the sun sets over the sea at sunset",
  "the moon rises over the sea at night",
  "at sunset, clouds drift to the right over green hills",
  "day turns to night over the sea",
  "night turns to day over green hills",
  "a red rocket flies up over the sea by day",
  "a yellow wheel rolls to the left over green hills at sunset",
  "at night, fireflies glow over green hills",
  "snow falls over the sea at night",
  "rain falls over green hills by day",
];
const form = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };
const shownFrames = [0, 5, 11, 16];
const pictureCount = 12;
const docs = join(import.meta.dirname, "../../docs");

interface Strip {
  /** Frames side by side, as a PNG. */
  readonly png: Buffer;
  readonly caption: string;
}

const folder = mkdtempSync(join(tmpdir(), "rushes-sheet-"));
const asked = process.argv[2];
try {
  if (asked !== "demo-i2v")
    await draw(
      await madeFrom(
        "demo",
        sentences.map((prompt) => ({ prompt })),
      ),
      "demo-model.jpg",
    );
  if (asked !== "demo") await draw(await madeFrom("demo-i2v", pictures()), "demo-i2v.jpg");
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function pictures(): Entry[] {
  const drawn = drawPictures(pictureCount, 7, form.width, folder);
  return drawn.map(({ sentence, image }) => ({ prompt: sentence, image }));
}

async function madeFrom(model: string, entries: readonly Entry[]): Promise<Strip[]> {
  const place = join(folder, model);
  mkdirSync(place);
  const clips = await makeClips(model, entries, form, place);
  return clips.map((clip, index) => {
    const { prompt, image } = entries[index]!;
    const given = image === undefined ? [] : [decode(readFileSync(image)).data as Uint8Array];
    const frames = shownFrames.map((frame) => Uint8Array.from(clip.frames[frame]!, (value) => Math.round(255 * value)));
    return { png: sideBySide([...given, ...frames]), caption: prompt };
  });
}

/** Frames of RGB as one picture, with a gap between them. */
function sideBySide(frames: readonly Uint8Array[]): Buffer {
  const gap = 4;
  const [columns, rows] = [form.width, form.height];
  const width = frames.length * (columns + gap) - gap;
  const data = new Uint8Array(3 * width * rows).fill(255);
  for (const [index, frame] of frames.entries())
    for (let row = 0; row < rows; row++) {
      const from = frame.subarray(3 * row * columns, 3 * (row + 1) * columns);
      data.set(from, 3 * (row * width + index * (columns + gap)));
    }
  return Buffer.from(encode({ width, height: rows, channels: 3, data }));
}

async function draw(strips: readonly Strip[], name: string): Promise<void> {
  const figures = strips.map(
    ({ png, caption }) =>
      `<figure><img src="data:image/png;base64,${png.toString("base64")}"><figcaption>${caption}</figcaption></figure>`,
  );
  const style = `body { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; margin: 12px; font: 12px sans-serif }
    figure { margin: 0 } img { width: 100% }`;
  const browser = await chromium.launch(chromiumLaunch());
  const page = await browser.newPage({ viewport: { width: 1280, height: 400 } });
  await page.setContent(`<style>${style}</style>${figures.join("")}`);
  await page.screenshot({ path: join(docs, name), type: "jpeg", quality: 85, fullPage: true });
  await browser.close();
}
