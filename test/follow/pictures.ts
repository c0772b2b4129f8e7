// Drawn pictures, sentences about what happens next, and what the built program's clips make of both. Things may be anywhere.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { type Form, makeClips } from "./clips.ts";
import { seen } from "./seen.ts";
import type { Pair } from "./shares.ts";
import { drawScene, randomNumbers, type Scene, scenes } from "./world.ts";

export interface Continued extends Pair {
  /** PSNR in dB of the clip's first frame, as a player shows it: against its own picture, and against the next clip's. */
  readonly kept: number;
  readonly keptOfNext: number;
}

/** A picture that begins a clip, as a file and as interleaved RGB in 0..1, with the sentence of what happens next. */
export interface DrawnPicture extends Scene {
  readonly image: string;
  readonly first: Float32Array;
}

/** Draws the first frames of `count` scenes, side x side, into the folder. */
export function drawPictures(count: number, seed: number, side: number, folder: string): DrawnPicture[] {
  const random = randomNumbers(seed);
  return scenes(count, seed).map((scene, index) => {
    const first = drawScene(scene, random, side)[0]!;
    const image = join(folder, `${index}.png`);
    const data = Uint8Array.from(first, (value) => Math.round(255 * value));
    writeFileSync(image, encode({ width: side, height: side, channels: 3, data }));
    return { ...scene, image, first };
  });
}

/** Makes a clip of each of `count` pictures with the demo's image-to-video model. */
export async function continuePictures(count: number, seed: number, form: Form): Promise<Continued[]> {
  const folder = mkdtempSync(join(tmpdir(), "rushes-pictures-"));
  try {
    const meant = drawPictures(count, seed, form.width, folder);
    const entries = meant.map(({ sentence, image }) => ({ prompt: sentence, image }));
    const clips = await makeClips("demo-i2v", entries, form, folder);
    return meant.map(({ properties: said, first }, index) => {
      const next = meant[(index + 1) % count]!.first;
      const shown = clips[index]!.frames[0]!;
      return { said, seen: seen(clips[index]!), kept: decibels(shown, first), keptOfNext: decibels(shown, next) };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** PSNR of two frames with values in 0..1. */
function decibels(one: Float32Array, other: Float32Array): number {
  const squares = one.reduce((sum, value, at) => sum + (value - other[at]!) ** 2, 0);
  return -10 * Math.log10(squares / one.length);
}
