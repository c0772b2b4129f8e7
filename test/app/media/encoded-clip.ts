// A clip from ffmpeg's test picture, as the engine hands it over: one Annex B access unit a frame.
import { execFileSync } from "node:child_process";
import type { VideoPacket } from "../../../app/media/mp4.ts";

export function encodedClip(width: number, height: number, frameCount: number): VideoPacket[] {
  const colour = ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"];
  const stream = execFileSync(
    "ffmpeg",
    [
      ...["-v", "error", "-f", "lavfi", "-i", `testsrc=size=${width}x${height}:rate=16`, "-frames:v", `${frameCount}`],
      ...["-c:v", "libx264", "-bf", "0", "-g", "8", "-pix_fmt", "yuv420p", ...colour],
      ...["-x264-params", "aud=1:repeat-headers=1", "-f", "h264", "-"],
    ],
    { maxBuffer: 64 << 20 },
  );
  const starts: number[] = [];
  // An access unit delimiter (type 9) opens each frame.
  for (let i = 0; i + 4 < stream.length; i++)
    if (stream.readUInt32BE(i) === 1 && ((stream[i + 4] ?? 0) & 31) === 9) starts.push(i);
  return starts.map((start, frame) => ({
    data: stream.subarray(start, starts[frame + 1] ?? stream.length),
    keyFrame: frame % 8 === 0,
    frame,
  }));
}

export interface ProbedVideo {
  codec_name: string;
  pix_fmt: string;
  color_range: string;
  color_space: string;
  color_transfer: string;
  color_primaries: string;
  width: number;
  height: number;
  avg_frame_rate: string;
  r_frame_rate: string;
  nb_read_frames: string;
  nb_frames: string;
  duration: string;
}

/** The video stream as ffprobe reads it, every frame decoded; anything it complains of is an error. */
export function probe(path: string): ProbedVideo {
  const shown = execFileSync("ffprobe", [
    ...["-v", "error", "-count_frames", "-select_streams", "v", "-show_streams", "-of", "json", path],
  ]);
  const complaints = execFileSync("sh", ["-c", `ffmpeg -v warning -i "$1" -f null - 2>&1`, "sh", path]).toString();
  if (complaints !== "") throw new Error(complaints);
  const { streams } = JSON.parse(shown.toString()) as { streams: ProbedVideo[] };
  const [stream] = streams;
  if (!stream || streams.length !== 1) throw new Error(`${streams.length} video streams`);
  return stream;
}
