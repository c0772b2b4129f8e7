// The boxes of an MP4 (ISO/IEC 14496-12 4.2), for readers that must stay bounded whatever a file claims.
import type { ByteReader } from "./byte-reader.ts";

export interface Box {
  type: string;
  /** Of its content. */
  start: number;
  end: number;
}

/** Boxes a file may make a reader visit; ours have about thirty. */
const mostBoxes = 2000;

export class BoxReader {
  readonly bytes: ByteReader;
  #visited = 0;

  constructor(bytes: ByteReader) {
    this.bytes = bytes;
  }

  /** The boxes one after the other; ends early where one does not fit, or at the limit for the whole file. */
  async *boxes(start: number, end: number): AsyncGenerator<Box, void> {
    let at = start;
    while (at + 8 <= end && this.#visited++ < mostBoxes) {
      const box = await this.#read(at, end);
      if (!box) return;
      yield box;
      at = box.end;
    }
  }

  async #read(at: number, end: number): Promise<Box | null> {
    const header = Buffer.from(await this.bytes.read(at, 16));
    if (header.length < 8) return null;
    const type = header.toString("latin1", 4, 8);
    const size = header.readUInt32BE(0);
    // 0: up to the end; 1: the size follows in 64 bits.
    if (size === 1 && header.length < 16) return null;
    const length = size === 0 ? end - at : size === 1 ? Number(header.readBigUInt64BE(8)) : size;
    const start = at + (size === 1 ? 16 : 8);
    return at + length >= start && at + length <= end ? { type, start, end: at + length } : null;
  }
}
