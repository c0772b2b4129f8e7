// Does the video go on from its picture, as the sentence says? Makes clips of drawn pictures with the built program and reads
// them back with ffmpeg. The bar is the manifest of the demo's image-to-video model.
import { beforeAll, describe, expect, test } from "vitest";
import { type Continued, continuePictures } from "./pictures.ts";
import { published } from "./published.ts";
import { greatestByChance, leastMean, leastShare, meanOf, sharesOf, shuffledShares } from "./shares.ts";
import { properties } from "./world.ts";

const pictureCount = 40;
const form = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };

let clips: Continued[];

beforeAll(async () => {
  clips = await continuePictures(pictureCount, 20261122, form);
});

describe(`${pictureCount} pictures`, () => {
  test("the first frame is the picture, and no other one", () => {
    const { count, firstFrame } = published("demo-i2v", form, "pictures");
    const kept = clips.map((clip) => clip.kept);
    const least = leastMean(firstFrame!, count, kept);
    const others = meanOf(clips.map((clip) => clip.keptOfNext));
    console.log(
      `first frame: ${meanOf(kept).toFixed(1)} dB (manifest ${firstFrame!}, least ${least.toFixed(1)}), against another picture ${others.toFixed(1)} dB`,
    );
    expect(meanOf(kept)).toBeGreaterThanOrEqual(least);
    expect(others).toBeLessThan(15);
  });
  test.each(properties)("%s is not below the manifest's share", (property) => {
    const { count, shares } = published("demo-i2v", form, "pictures");
    const found = sharesOf(clips)[property];
    const least = leastShare(shares[property], count, pictureCount);
    console.log(`${property}: ${found} (manifest ${shares[property]}, least ${least.toFixed(3)})`);
    expect(found).toBeGreaterThanOrEqual(least);
  });
  test("the motion is at chance when the sentences are shuffled", () => {
    const { motion } = shuffledShares(clips);
    expect(motion).toBeLessThanOrEqual(greatestByChance("motion", pictureCount));
  });
});
