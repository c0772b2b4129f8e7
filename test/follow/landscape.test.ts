// Does a landscape show what its sentence says happens there? The bar is the demo model's own manifest.
import { expect, test } from "vitest";
import { difference, landscapes, mostLike, unrecognisedLandscapes } from "./landscapes.ts";
import { published } from "./published.ts";

const form = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };
/** Clips by which a run may fall short of the manifest's. Both are of the same sentences and seeds, so chance has no part in it; but
 * sums differ in their last bits between the instruction sets of CPUs, and a clip that is nearly as like another landscape may turn. */
const slack = 2;

test("no two landscapes are alike, so that a clip which is none of them is not recognised by chance", () => {
  for (const one of landscapes) {
    expect(mostLike(one.look)).toBe(one);
    const others = landscapes.filter((other) => other !== one);
    expect(Math.min(...others.map(({ look }) => difference(look, one.look)))).toBeGreaterThan(1e-4);
  }
});

test("the landscapes are recognised as often as the manifest says", async () => {
  const { count, recognised } = published("demo", form, "landscapes");
  expect(count).toBe(landscapes.length);
  const missed = (await unrecognisedLandscapes(form)).map(({ sentence }) => sentence);
  const found = count - missed.length;
  const told = Math.round(recognised! * count);
  const which = `not recognised: ${missed.join(" | ") || "none"}`;
  console.log(`landscapes: ${found} of ${count} (manifest ${told}, least ${told - slack}); ${which}`);
  expect(found, which).toBeGreaterThanOrEqual(told - slack);
});
