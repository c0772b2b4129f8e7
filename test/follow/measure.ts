// Measures the demo models as the built program runs them: what their manifests publish (`follows`). The sentences and pictures
// are others than the tests have.
//   npm run follow-shares [-- COUNT [demo|demo-i2v]]
import { briefScenes } from "./brief.ts";
import { type Form, nameOf } from "./clips.ts";
import { landscapes, unrecognisedLandscapes } from "./landscapes.ts";
import { makePairs } from "./pairs.ts";
import { continuePictures } from "./pictures.ts";
import { meanOf, sharesOf, shuffledShares } from "./shares.ts";
import { type Scene, scenes } from "./world.ts";

const count = Number(process.argv[2] ?? 200);
const model = process.argv[3];
const seed = 4242;
const forms = [
  { width: 128, height: 128, numSteps: 4 },
  { width: 128, height: 128, numSteps: 1 },
  { width: 224, height: 128, numSteps: 4 },
  { width: 128, height: 224, numSteps: 4 },
  { width: 64, height: 64, numSteps: 4 },
].map((one) => ({ ...one, numFrames: 17, slaTopk: 0.1 }));

for (const form of forms) {
  if (model !== "demo-i2v") await measureSentences(form, "sentences", scenes(count, seed));
  if (model !== "demo-i2v" && form === forms[0]) {
    await measureSentences(form, "brief sentences", briefScenes(count, seed));
    await measureLandscapes(form);
  }
  // The pair was trained on squares alone.
  if (model !== "demo" && form.width === form.height) await measurePictures(form);
}

async function measureSentences(form: Form, kind: string, meant: readonly Scene[]): Promise<void> {
  const pairs = await makePairs(meant, form);
  console.log(`${JSON.stringify(`${nameOf(form)}, ${count} ${kind}`)}: ${JSON.stringify(sharesOf(pairs))}`);
  console.log(`  with the sentences shuffled: ${JSON.stringify(shuffledShares(pairs))}`);
}

async function measureLandscapes(form: Form): Promise<void> {
  const { length: missed } = await unrecognisedLandscapes(form);
  const recognised = Number((1 - missed / landscapes.length).toFixed(3));
  console.log(
    `${JSON.stringify(`${nameOf(form)}, ${landscapes.length} landscapes`)}: ${JSON.stringify({ recognised })}`,
  );
}

async function measurePictures(form: Form): Promise<void> {
  const clips = await continuePictures(count, seed, form);
  const firstFrame = Number(meanOf(clips.map(({ kept }) => kept)).toFixed(2));
  console.log(
    `${JSON.stringify(`${nameOf(form)}, ${count} pictures`)}: ${JSON.stringify({ firstFrame, ...sharesOf(clips) })}`,
  );
  console.log(`  with the sentences shuffled: ${JSON.stringify(shuffledShares(clips))}`);
}
