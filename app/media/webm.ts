// The exported WebM: VP9 packets with the settings inside (a tag of Matroska), read back before they are returned.
import { RushesError } from "../../contract/errors.ts";
import type { VideoForm, VideoPacket } from "./mp4.ts";
import { readVideoRecord, type VideoRecord } from "./video-record.ts";

/** The whole file. Colours are BT.709 limited range. A record is read back from these bytes and compared. */
export async function muxWebm(
  packets: readonly VideoPacket[],
  form: VideoForm,
  record: VideoRecord | null,
): Promise<Uint8Array> {
  const { BufferTarget, EncodedPacket, EncodedVideoPacketSource, Output, WebMOutputFormat } =
    await import("mediabunny");
  const target = new BufferTarget();
  const output = new Output({ format: new WebMOutputFormat(), target });
  const source = new EncodedVideoPacketSource("vp9");
  output.addVideoTrack(source, { frameRate: form.frameRate });
  const comment = record === null ? null : JSON.stringify(record);
  if (comment !== null) output.setMetadataTags({ comment });
  await output.start();
  const metadata = {
    decoderConfig: {
      // Profile 0, 8 bits, 4:2:0; the level is that of the largest pictures, which no reader minds.
      codec: "vp09.00.51.08",
      codedWidth: form.width,
      codedHeight: form.height,
      colorSpace: { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange: false },
    },
  } as const;
  for (const [index, packet] of packets.entries()) {
    if (packet.frame !== index) throw broken(`Packet ${index} of the video holds frame ${packet.frame}.`);
    const type = packet.keyFrame ? "key" : "delta";
    const encoded = new EncodedPacket(packet.data, type, index / form.frameRate, 1 / form.frameRate, index);
    await (index === 0 ? source.add(encoded, metadata) : source.add(encoded));
  }
  await output.finalize();
  if (!target.buffer) throw broken("The file was not finished.");
  const bytes = new Uint8Array(target.buffer);
  if (comment !== null && JSON.stringify(await readVideoRecord(bytes)) !== comment)
    throw broken("The settings read back differ.");
  return bytes;
}

function broken(detail: string): RushesError {
  return new RushesError("engine.internal", { sentence: "The WebM file could not be put together.", detail });
}
