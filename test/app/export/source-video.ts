// A finished video for the export's tests, and pictures as ffmpeg reads them.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { muxVideo, type VideoRecord } from "../../../app/media/mp4.ts";
import { encodedClip } from "../media/encoded-clip.ts";

export const record: VideoRecord = {
  rushes: 1,
  job: "5c2f",
  model: "demo",
  settings: { prompt: 'A "red" ball \\ 红球 🎾 \n second line', seed: 9007199254740991, slaTopk: 0.1, image: null },
};

export interface SourceVideo {
  path: string;
  width: number;
  height: number;
  frames: number;
}

export async function makeVideo(
  path: string,
  [width, height, frames]: readonly [number, number, number],
  frameRate = 16,
): Promise<SourceVideo> {
  writeFileSync(path, await muxVideo(encodedClip(width, height, frames), { width, height, frameRate }, record));
  return { path, width, height, frames };
}

/** Every picture of a file (a video, or PNGs by pattern) as RGB, one after the other. Chroma between its sites is interpolated. */
export function rgbFrames(path: string, { width, height }: { width: number; height: number }): Buffer[] {
  const chroma = "in_color_matrix=bt709:in_h_chr_pos=0:in_v_chr_pos=128";
  const planes = `scale=flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:${chroma},format=gbrp`;
  const bytes = execFileSync(
    "ffmpeg",
    [
      ...["-v", "error", "-i", path, "-vf", /\.(png|gif)$/.test(path) ? "null" : planes],
      ...["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
    ],
    { maxBuffer: 1 << 30 },
  );
  const size = width * height * 3;
  return Array.from({ length: bytes.length / size }, (_, frame) => bytes.subarray(frame * size, (frame + 1) * size));
}

/** Closeness of two pictures, dB. */
export function psnr(a: Uint8Array, b: Uint8Array): number {
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i]! - b[i]!) ** 2;
  return 10 * Math.log10(255 ** 2 / (squares / a.length + 1e-12));
}
