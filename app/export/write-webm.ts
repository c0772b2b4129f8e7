// A clip as WebM: the engine makes VP9 packets of it, beside whatever else it does.
import type { VideoPacket } from "../media/mp4.ts";
import type { SourceClip } from "../media/read-clip.ts";
import type { VideoRecord } from "../media/video-record.ts";
import { muxWebm } from "../media/webm.ts";
import type { ExportRun } from "./export-run.ts";

/** Of 1 to 100: the copy should look like the original. */
const quality = 85;

/** The whole file, a few megabytes. */
export async function webmBytes(run: ExportRun, clip: SourceClip, record: VideoRecord | null): Promise<Uint8Array> {
  const { width, height, frameRate } = clip;
  const packets: VideoPacket[] = [];
  await run.engine.call(
    "encodeVp9",
    [
      { packets: clip.packets.map(({ data }) => data), width, height },
      { frameRate, quality },
    ],
    {
      signal: run.signal,
      letGo: true,
      onEvent: (event) => {
        if (event.kind !== "packet") return;
        packets.push({ data: event.data, keyFrame: event.keyFrame, frame: event.frame });
        run.progress(packets.length / clip.packets.length);
      },
    },
  );
  return muxWebm(packets, { width, height, frameRate }, record);
}
