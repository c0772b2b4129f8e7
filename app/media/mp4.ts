// The video file: H.264 packets to MP4 (fast start, BT.709 limited range) with the settings inside, and reading them
// back. Putting the bytes on the disk lives in whole-file.ts.
import type { Input } from "mediabunny";
import { RushesError } from "../../contract/errors.ts";
import { decoderConfiguration, lengthPrefixed, splitUnits } from "./h264.ts";

/** One H.264 access unit in Annex B form; frames count from 0 in presentation order (there are no B-frames). */
export interface VideoPacket {
  data: Uint8Array;
  keyFrame: boolean;
  frame: number;
}

/** What a video says about how it was made. */
export interface VideoRecord {
  /** Version of this form. */
  rushes: 1;
  /** The job's uid. */
  job: string;
  model: string;
  /** Every setting, resolved. */
  settings: Record<string, unknown>;
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
  if (JSON.stringify(await recordInBytes(bytes)) !== comment) throw broken("The settings read back differ.");
  return bytes;
}

/** The record inside a video file; null when the file was not made by Rushes or is no MP4. Throws file.unreadable when
 * there is no such file. */
export async function readSettings(path: string): Promise<VideoRecord | null> {
  const { open } = await import("node:fs/promises");
  const file = await open(path, "r").catch((error: Error) => {
    throw new RushesError("file.unreadable", { sentence: `${path} cannot be read.`, detail: error.message });
  });
  try {
    const { StreamSource } = await import("mediabunny");
    const source = new StreamSource({
      getSize: async () => (await file.stat()).size,
      read: async (start, end) => {
        const bytes = new Uint8Array(end - start);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
        return bytes.subarray(0, bytesRead);
      },
    });
    return await recordOf(source);
  } finally {
    await file.close();
  }
}

async function recordInBytes(bytes: Uint8Array): Promise<VideoRecord | null> {
  const { BufferSource } = await import("mediabunny");
  return recordOf(new BufferSource(bytes));
}

async function recordOf(source: ConstructorParameters<typeof Input>[0]["source"]): Promise<VideoRecord | null> {
  const { Input: MediaInput, MP4 } = await import("mediabunny");
  const input = new MediaInput({ source, formats: [MP4] });
  try {
    const { comment } = await input.getMetadataTags();
    const value: unknown = comment === undefined ? null : JSON.parse(comment);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  } finally {
    input.dispose();
  }
}

function isRecord(value: unknown): value is VideoRecord {
  if (typeof value !== "object" || value === null) return false;
  const { rushes, job, model, settings } = value as Record<string, unknown>;
  const named = typeof job === "string" && typeof model === "string";
  return rushes === 1 && named && typeof settings === "object" && settings !== null;
}

function broken(detail: string): RushesError {
  return new RushesError("engine.internal", { sentence: "The video file could not be put together.", detail });
}
