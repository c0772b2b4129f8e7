// Does the picture follow the sentence? Makes clips of sentences the model has not seen with the built program, reads the
// files back with ffmpeg and measures them. The bar is the demo model's own manifest.
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { makePairs } from "./pairs.ts";
import { published } from "./published.ts";
import { greatestByChance, leastShare, type Pair, sharesOf, shuffledShares } from "./shares.ts";
import { properties } from "./world.ts";

const sentenceCount = 40;
const form = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };

let pairs: Pair[];

beforeAll(async () => {
  pairs = await makePairs(sentenceCount, 20261121, form);
});

test("ffmpeg is there", () => {
  expect(execFileSync("ffmpeg", ["-version"], { encoding: "utf8" })).toContain("ffmpeg version");
});

describe(`${sentenceCount} sentences`, () => {
  test.each(properties)("%s is not below the manifest's share", (property) => {
    const { count, shares } = published("demo", form);
    const found = sharesOf(pairs)[property];
    console.log(
      `${property}: ${found} (manifest ${shares[property]}, least ${leastShare(shares[property], count, sentenceCount).toFixed(3)})`,
    );
    expect(found).toBeGreaterThanOrEqual(leastShare(shares[property], count, sentenceCount));
  });
  test.each(properties)("%s is at chance when the sentences are shuffled", (property) => {
    const found = shuffledShares(pairs)[property];
    console.log(
      `${property}, shuffled: ${found.toFixed(3)} (chance allows ${greatestByChance(property, sentenceCount).toFixed(3)})`,
    );
    expect(found).toBeLessThanOrEqual(greatestByChance(property, sentenceCount));
  });
});
