// The demo world's landscapes as they should look, small, and which of them a clip is most like. Written by
// training/landscapes.py: a row of landscapes.png for each sentence of landscapes.json, its frames side by side.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { type Form, makeClips } from "./clips.ts";
import type { Clip } from "./seen.ts";

/** Frames of interleaved RGB in 0..1, side x side, evenly over the clip. */
type Small = readonly Float32Array[];

export interface Landscape {
  readonly sentence: string;
  readonly look: Small;
}

const side = 32;
const frameCount = 3;

export const landscapes: readonly Landscape[] = readLandscapes();

function readLandscapes(): Landscape[] {
  const sentences = JSON.parse(readFileSync(join(import.meta.dirname, "landscapes.json"), "utf8")) as string[];
  const { data, width, height } = decode(readFileSync(join(import.meta.dirname, "landscapes.png")));
  if (width !== frameCount * side || height !== sentences.length * side)
    throw new Error("landscapes.png and landscapes.json do not belong together");
  return sentences.map((sentence, number) => ({
    sentence,
    look: Array.from({ length: frameCount }, (_, frame) =>
      Float32Array.from({ length: side * side * 3 }, (_, at) => {
        const [row, rest] = [number * side + Math.floor(at / (3 * side)), at % (3 * side)];
        return data[3 * (row * width + frame * side) + rest]! / 255;
      }),
    ),
  }));
}

/** The landscapes whose clip, made of their sentence with the demo model, is more like another one. */
export async function unrecognisedLandscapes(form: Form): Promise<readonly Landscape[]> {
  const folder = mkdtempSync(join(tmpdir(), "rushes-landscapes-"));
  try {
    const entries = landscapes.map(({ sentence }) => ({ prompt: sentence }));
    const clips = await makeClips("demo", entries, form, folder);
    return landscapes.filter((landscape, index) => mostLike(small(clips[index]!)) !== landscape);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function mostLike(look: Small): Landscape {
  return landscapes.reduce((best, one) => (difference(one.look, look) < difference(best.look, look) ? one : best));
}

/** Mean square over frames and pixels. */
export function difference(one: Small, other: Small): number {
  const sums = one.map((frame, index) => frame.reduce((sum, value, at) => sum + (value - other[index]![at]!) ** 2, 0));
  return sums.reduce((total, sum) => total + sum, 0) / (frameCount * side * side * 3);
}

/** Square clips, whose side is a multiple of 32. */
function small({ width, frames }: Clip): Small {
  const step = width / side;
  const shown = Array.from({ length: frameCount }, (_, at) =>
    Math.floor((at * (frames.length - 1)) / (frameCount - 1)),
  );
  return shown.map((number) => {
    const out = new Float32Array(side * side * 3);
    frames[number]!.forEach((value, at) => {
      const [row, column] = [Math.floor(at / (3 * width)), Math.floor(at / 3) % width];
      out[3 * (Math.floor(row / step) * side + Math.floor(column / step)) + (at % 3)]! += value / step ** 2;
    });
    return out;
  });
}
