// Does a landscape show what its sentence says happens there? The bar is the demo model's own manifest.
import { expect, test } from "vitest";
import { difference, landscapes, mostLike, recognisedShare } from "./landscapes.ts";
import { published } from "./published.ts";
import { leastShare } from "./shares.ts";

const form = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };

test("no two landscapes are alike, so that a clip which is none of them is not recognised by chance", () => {
  for (const one of landscapes) {
    expect(mostLike(one.look)).toBe(one);
    const others = landscapes.filter((other) => other !== one);
    expect(Math.min(...others.map(({ look }) => difference(look, one.look)))).toBeGreaterThan(1e-4);
  }
});

test("the landscapes are recognised as often as the manifest says", async () => {
  const { count, recognised } = published("demo", form, "landscapes");
  const share = await recognisedShare(form);
  const least = leastShare(recognised!, count, landscapes.length);
  console.log(`landscapes: ${share.toFixed(3)} (manifest ${recognised}, least ${least.toFixed(3)})`);
  expect(share).toBeGreaterThanOrEqual(least);
});
