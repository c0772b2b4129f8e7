// The H.264 of a finished video, ready for the engine's decoder. Files may be damaged or foreign: every doubt is
// file.unreadable.
import type { EncodedPacket } from "mediabunny";
import { RushesError } from "../../contract/errors.ts";
import { annexB, readRecord } from "./h264.ts";
import { checkSampleTables } from "./mp4-tables.ts";
import { withMediaInput } from "./media-input.ts";
import { readVideoRecord, type VideoRecord } from "./video-record.ts";

export interface SourceClip {
  width: number;
  height: number;
  /** Frames a second. */
  frameRate: number;
  /** Access units in Annex B form, one picture each; key frames carry their parameter sets. */
  packets: readonly SourcePacket[];
  /** How it was made, where the file says it. */
  record: VideoRecord | null;
}

export interface SourcePacket {
  data: Uint8Array<ArrayBuffer>;
  keyFrame: boolean;
}

/** What a clip may hold at most. A minute of 4096 x 2304 at the finest quality stays below both. */
const mostBytes = 2 ** 30;
const mostFrames = 100_000;

/** Reads the whole stream (compressed, so a few megabytes). Throws file.unreadable where the file is missing, damaged or not
 * of the form Rushes writes; the signal's reason when aborted. */
export async function readClip(path: string, signal?: AbortSignal): Promise<SourceClip> {
  const { EncodedPacketSink, MP4 } = await import("mediabunny");
  return withMediaInput(path, [MP4], async (input, bytes) => {
    try {
      await checkSampleTables(bytes, mostFrames);
      const track = await input.getPrimaryVideoTrack();
      if (!track || (await track.getCodec()) !== "avc") throw new Error("It has no H.264 track.");
      const { description, codedWidth: width = 0, codedHeight: height = 0 } = (await track.getDecoderConfig()) ?? {};
      const configuration = description && readRecord(bytesOf(description));
      if (!configuration) throw new Error("It has no parameter sets.");
      const { parameterSets, lengthSize } = configuration;
      const packets: SourcePacket[] = [];
      let total = 0;
      let [first, last, duration] = [0, 0, 0];
      const sink = new EncodedPacketSink(track);
      let previous: EncodedPacket | null = null;
      for await (const packet of sink.packets()) {
        signal?.throwIfAborted();
        const keyFrame = packet.type === "key";
        const data = annexB(packet.data, lengthSize, keyFrame ? parameterSets : []);
        if (!data) throw new Error(`Picture ${packets.length + 1} is cut.`);
        total += data.length;
        if (total > mostBytes || packets.length >= mostFrames)
          throw new Error("It is longer than Rushes makes videos.");
        if (packets.length === 0) first = packet.timestamp;
        else if (packet.timestamp <= last) throw new Error(`Picture ${packets.length + 1} comes out of order.`);
        [last, duration] = [packet.timestamp, packet.duration];
        previous = packet;
        packets.push({ data, keyFrame });
      }
      // Reading stops where the bytes do; the table knows of more.
      if (previous && (await sink.getNextPacket(previous, { metadataOnly: true })))
        throw new Error("Its end is missing.");
      if (packets[0]?.keyFrame !== true) throw new Error("It does not begin with a whole picture.");
      const seconds = packets.length === 1 ? duration : (last - first) / (packets.length - 1);
      const frameRate = Math.round(1000 / seconds) / 1000;
      if (!(frameRate >= 1 && frameRate <= 60)) throw new Error(`It has ${frameRate} pictures a second.`);
      return { width, height, frameRate, packets, record: await readVideoRecord(path) };
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new RushesError("file.unreadable", {
        sentence: `${path} is damaged, or not a video that Rushes can read.`,
        advice: "Generate the video again, or restore the file from a copy.",
        detail: error instanceof Error ? error.message : String(error),
        cause: error,
      });
    }
  });
}

function bytesOf(data: ArrayBufferLike | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data);
}
