// The text chunks of a PNG (W3C PNG 11.3.3.2), read the picture left alone: a file from anywhere may claim any size.
import { openFile } from "./media-input.ts";

const headerBytes = 8;
/** Our files have four chunks. */
const mostChunks = 64;

/** The text of the first tEXt chunk of that keyword, in Latin-1; null when there is none, it is longer than
 * `longest`, or the file is no PNG. Throws file.unreadable when there is no such file. */
export async function readPngText(file: string | Uint8Array, keyword: string, longest: number): Promise<string | null> {
  if (typeof file !== "string")
    return find((at, length) => Promise.resolve(file.subarray(at, at + length)), keyword, longest);
  const handle = await openFile(file);
  try {
    const read = async (at: number, length: number) => {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, at);
      return buffer.subarray(0, bytesRead);
    };
    return await find(read, keyword, longest);
  } finally {
    await handle.close();
  }
}

async function find(
  read: (at: number, length: number) => Promise<Uint8Array>,
  keyword: string,
  longest: number,
): Promise<string | null> {
  let at = headerBytes;
  for (let count = 0; count < mostChunks; count++) {
    const header = await read(at, 8);
    if (header.length < 8) return null;
    const length = new DataView(header.buffer, header.byteOffset, 8).getUint32(0);
    const type = latin1(header.subarray(4));
    if (type === "IEND") return null;
    if (type === "tEXt" && length <= longest + keyword.length + 1) {
      const content = await read(at + 8, length);
      const end = content.indexOf(0);
      if (content.length === length && end >= 0 && latin1(content.subarray(0, end)) === keyword)
        return latin1(content.subarray(end + 1));
    }
    at += 8 + length + 4;
  }
  return null;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
