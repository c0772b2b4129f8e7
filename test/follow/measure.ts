// Measures the demo model as the built program runs it: the shares that models/demo/manifest.json publishes (`follows`). The
// sentences are others than follow.test.ts has.
//   npm run follow-shares [-- SENTENCES]
import { makePairs, nameOf } from "./pairs.ts";
import { sharesOf, shuffledShares } from "./shares.ts";

const count = Number(process.argv[2] ?? 200);
const seed = 4242;
const forms = [
  { side: 128, numSteps: 4 },
  { side: 128, numSteps: 1 },
  { side: 64, numSteps: 4 },
];

for (const { side, numSteps } of forms) {
  const form = { width: side, height: side, numFrames: 17, numSteps, slaTopk: 0.1 };
  const pairs = await makePairs(count, seed, form);
  console.log(`${JSON.stringify(`${nameOf(form)}, ${count} sentences`)}: ${JSON.stringify(sharesOf(pairs))}`);
  console.log(`  with the sentences shuffled: ${JSON.stringify(shuffledShares(pairs))}`);
}
