// The video file: H.264 packets to MP4 (fast start, BT.709 limited range) with the settings inside. Reading
// them back lives in video-record.ts, putting the bytes on the disk lives in whole-file.ts.
import { RushesError } from "../../contract/errors.ts";
import { decoderConfiguration, lengthPrefixed, splitUnits } from "./h264.ts";
import { readVideoRecord, type VideoRecord } from "./video-record.ts";

export { readSettings, type VideoRecord } from "./video-record.ts";

/** One H.264 access unit in Annex B form; frames count from 0 in presentation order (there are no B-frames). */
export interface VideoPacket {
  data: Uint8Array;
  keyFrame: boolean;
  frame: number;
}

export interface VideoForm {
  width: number;
  height: number;
  /** Frames a second. */
  frameRate: number;
}

/** The whole file. The record is read back from these bytes and compared before they are returned. */
export async function muxVideo(
  packets: readonly VideoPacket[],
  form: VideoForm,
  record: VideoRecord,
): Promise<Uint8Array> {
  const { BufferTarget, EncodedPacket, EncodedVideoPacketSource, Mp4OutputFormat, Output } = await import("mediabunny");
  const first = packets[0];
  const configuration = first && decoderConfiguration(splitUnits(first.data));
  if (!configuration) throw broken("The encoder gave no parameter sets.");

  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat({ fastStart: "in-memory" }), target });
  const source = new EncodedVideoPacketSource("avc");
  output.addVideoTrack(source, { frameRate: form.frameRate });
  const comment = JSON.stringify(record);
  output.setMetadataTags({ comment });
  await output.start();
  for (const [index, packet] of packets.entries()) {
    if (packet.frame !== index) throw broken(`Packet ${index} of the video holds frame ${packet.frame}.`);
    const data = lengthPrefixed(splitUnits(packet.data));
    const timestamp = index / form.frameRate;
    const encoded = new EncodedPacket(data, packet.keyFrame ? "key" : "delta", timestamp, 1 / form.frameRate, index);
    const metadata = {
      decoderConfig: {
        codec: configuration.codec,
        codedWidth: form.width,
        codedHeight: form.height,
        description: configuration.record,
        colorSpace: { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange: false },
      },
    } as const;
    await (index === 0 ? source.add(encoded, metadata) : source.add(encoded));
  }
  await output.finalize();
  if (!target.buffer) throw broken("The file was not finished.");
  const bytes = new Uint8Array(target.buffer);
  if (JSON.stringify(await readVideoRecord(bytes)) !== comment) throw broken("The settings read back differ.");
  return bytes;
}

function broken(detail: string): RushesError {
  return new RushesError("engine.internal", { sentence: "The video file could not be put together.", detail });
}
