// Reads a video back with ffmpeg and ffprobe, as any player would.
import { execFileSync, spawnSync } from "node:child_process";

export interface Probe {
  codec_name: string;
  profile: string;
  width: number;
  height: number;
  pix_fmt: string;
  color_range: string;
  color_space: string;
  color_transfer: string;
  color_primaries: string;
  r_frame_rate: string;
  avg_frame_rate: string;
  nb_read_frames: string;
  duration: string;
}

/** What ffprobe says of the one video stream; throws when it says anything on standard error. */
export function probe(path: string): Probe {
  const args = ["-v", "warning", "-count_frames", "-show_streams", "-of", "json", path];
  const { status, stdout, stderr } = spawnSync("ffprobe", args, { encoding: "utf8" });
  if (status !== 0 || stderr !== "") throw new Error(`ffprobe ${path}: exit code ${String(status)}\n${stderr}`);
  const { streams } = JSON.parse(stdout) as { streams: Probe[] };
  if (streams.length !== 1) throw new Error(`${path} has ${streams.length} streams`);
  return streams[0]!;
}

/** Frames of interleaved RGB in 0..1. */
export function readFrames(path: string): { width: number; height: number; frames: Float32Array[] } {
  const { width, height } = probe(path);
  const args = ["-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
  const raw = execFileSync("ffmpeg", args, { maxBuffer: 1 << 30 });
  const bytes = width * height * 3;
  const count = raw.length / bytes;
  const frames = Array.from({ length: count }, (_, index) =>
    Float32Array.from(raw.subarray(index * bytes, (index + 1) * bytes), (value) => value / 255),
  );
  return { width, height, frames };
}
