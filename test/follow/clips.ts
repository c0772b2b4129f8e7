// Clips as the built program makes them: one for each entry, its number the seed, read back from their files.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runRushes } from "../run-rushes.ts";
import { readFrames } from "../video-frames.ts";
import type { Clip } from "./seen.ts";

/** How the clips are made; all else is the model's defaults. */
export interface Form {
  readonly width: number;
  readonly height: number;
  readonly numFrames: number;
  readonly numSteps: number;
  readonly slaTopk: number;
}

export interface Entry {
  readonly prompt: string;
  /** The picture to begin with. */
  readonly image?: string;
}

/** As a model's manifest names a measurement, without the number of sentences. */
export function nameOf({ width, height, numFrames, numSteps, slaTopk }: Form): string {
  return `${width}x${height}x${numFrames}, ${numSteps} steps, sla ${slaTopk}`;
}

/** Throws when an entry got no clip, or another's. What is made lies below `folder`. */
export async function makeClips(model: string, entries: readonly Entry[], form: Form, folder: string): Promise<Clip[]> {
  const prompts = join(folder, "prompts.json");
  writeFileSync(prompts, JSON.stringify(entries.map((entry, index) => ({ ...entry, seed: index, ...form }))));
  const { videos } = await runRushes<{ videos: { prompt: string; path: string; seed: number }[] }>(
    ["generate", "--model", model, "--prompts-file", prompts],
    join(folder, "library"),
  );
  return entries.map(({ prompt }, index) => {
    const video = videos[index];
    if (video?.prompt !== prompt || video.seed !== index) throw new Error(`No clip of "${prompt}"`);
    return readFrames(video.path);
  });
}
