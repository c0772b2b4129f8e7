// Does the picture follow the sentence? Makes clips of sentences the model has not seen with the built program, reads the
// files back with ffmpeg and measures them. The bar is the demo model's own manifest.
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { briefScenes } from "./brief.ts";
import { nameOf } from "./clips.ts";
import { makePairs } from "./pairs.ts";
import { published } from "./published.ts";
import { greatestByChance, leastShare, type Pair, sharesOf, shuffledShares } from "./shares.ts";
import { properties, scenes } from "./world.ts";

const square = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };
const wide = { ...square, width: 224 };
const tall = { ...square, height: 224 };
const seed = 20261121;

test("ffmpeg is there", () => {
  expect(execFileSync("ffmpeg", ["-version"], { encoding: "utf8" })).toContain("ffmpeg version");
});

describe.each([
  { kind: "sentences", form: square, meant: scenes(40, seed) },
  { kind: "brief sentences", form: square, meant: briefScenes(24, seed) },
  { kind: "sentences", form: wide, meant: scenes(24, seed + 1) },
  { kind: "sentences", form: tall, meant: scenes(24, seed + 2) },
] as const)("$kind at $form.width x $form.height", ({ kind, form, meant }) => {
  let pairs: Pair[];
  beforeAll(async () => {
    pairs = await makePairs(meant, form);
  });

  test.each(properties)("%s is not below the manifest's share", (property) => {
    const { count, shares } = published("demo", form, kind);
    const found = sharesOf(pairs)[property];
    const least = leastShare(shares[property], count, meant.length);
    console.log(
      `${nameOf(form)}, ${kind}, ${property}: ${found} (manifest ${shares[property]}, least ${least.toFixed(3)})`,
    );
    expect(found).toBeGreaterThanOrEqual(least);
  });

  if (kind === "brief sentences") return; // they have much in common, so exchanging them says little
  test.each(properties)("%s is at chance when the sentences are shuffled", (property) => {
    const found = shuffledShares(pairs)[property];
    const greatest = greatestByChance(property, meant.length);
    console.log(`${property}, shuffled: ${found.toFixed(3)} (chance allows ${greatest.toFixed(3)})`);
    expect(found).toBeLessThanOrEqual(greatest);
  });
});
