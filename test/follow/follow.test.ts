// Does the picture follow the sentence? Makes clips of sentences the model has not seen with the built program, reads the
// files back with ffmpeg and measures them. The bar is the demo model's own manifest.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readFrames } from "../video-frames.ts";
import { runRushes } from "../run-rushes.ts";
import { seen } from "./seen.ts";
import { greatestByChance, leastShare, type Pair, type Shares, sharesOf, shuffledShares } from "./shares.ts";
import { properties, scenes } from "./world.ts";

const root = join(import.meta.dirname, "../..");
const sentenceCount = 40;
const size = { width: 128, height: 128, numFrames: 17, numSteps: 4, slaTopk: 0.1 };

interface Published {
  count: number;
  shares: Shares;
}

/** The manifest's entry for this size: "128x128x17, 4 steps, sla 0.1, 50 sentences". */
function published(): Published {
  const manifest = JSON.parse(readFileSync(join(root, "models/demo/manifest.json"), "utf8")) as {
    follows: Record<string, Shares>;
  };
  const form = new RegExp(
    `^${size.width}x${size.height}x${size.numFrames}, ${size.numSteps} steps, sla ${size.slaTopk}, (\\d+) sentences$`,
  );
  const entry = Object.entries(manifest.follows).find(([name]) => form.test(name));
  if (!entry) throw new Error("models/demo/manifest.json says nothing of this size");
  return { count: Number(form.exec(entry[0])![1]), shares: entry[1] };
}

let folder: string;
let pairs: Pair[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-follow-"));
  const meant = scenes(sentenceCount, 20261121);
  const prompts = join(folder, "prompts.json");
  writeFileSync(prompts, JSON.stringify(meant.map(({ sentence }, seed) => ({ prompt: sentence, seed, ...size }))));
  const { videos } = await runRushes<{ videos: { prompt: string; path: string; seed: number }[] }>(
    ["generate", "--model", "demo", "--prompts-file", prompts],
    join(folder, "library"),
  );
  expect(videos).toHaveLength(sentenceCount);
  pairs = meant.map(({ sentence, properties: said }, index) => {
    const video = videos[index]!;
    expect(video).toMatchObject({ prompt: sentence, seed: index });
    return { said, seen: seen(readFrames(video.path)) };
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("ffmpeg is there", () => {
  expect(execFileSync("ffmpeg", ["-version"], { encoding: "utf8" })).toContain("ffmpeg version");
});

describe(`${sentenceCount} sentences`, () => {
  test.each(properties)("%s is not below the manifest's share", (property) => {
    const { count, shares } = published();
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
