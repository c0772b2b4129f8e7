// What sentences say and what the built program's clips of them show.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runRushes } from "../run-rushes.ts";
import { readFrames } from "../video-frames.ts";
import { seen } from "./seen.ts";
import type { Pair } from "./shares.ts";
import { scenes } from "./world.ts";

/** How the clips are made; all else is the demo model's defaults. */
export interface Form {
  readonly width: number;
  readonly height: number;
  readonly numFrames: number;
  readonly numSteps: number;
  readonly slaTopk: number;
}

/** As models/demo/manifest.json names a measurement, without the number of sentences. */
export function nameOf({ width, height, numFrames, numSteps, slaTopk }: Form): string {
  return `${width}x${height}x${numFrames}, ${numSteps} steps, sla ${slaTopk}`;
}

/** Makes a clip of each of `count` sentences, its number the seed. Throws when a sentence got no clip, or another's. */
export async function makePairs(count: number, seed: number, form: Form): Promise<Pair[]> {
  const folder = mkdtempSync(join(tmpdir(), "rushes-follow-"));
  try {
    const meant = scenes(count, seed);
    const prompts = join(folder, "prompts.json");
    writeFileSync(
      prompts,
      JSON.stringify(meant.map(({ sentence }, index) => ({ prompt: sentence, seed: index, ...form }))),
    );
    const { videos } = await runRushes<{ videos: { prompt: string; path: string; seed: number }[] }>(
      ["generate", "--model", "demo", "--prompts-file", prompts],
      join(folder, "library"),
    );
    return meant.map(({ sentence, properties: said }, index) => {
      const video = videos[index];
      if (video?.prompt !== sentence || video.seed !== index) throw new Error(`No clip of "${sentence}"`);
      return { said, seen: seen(readFrames(video.path)) };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
