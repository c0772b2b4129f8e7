// The text chunks of a PNG (W3C PNG 11.3.3.2), the picture left alone: a file from anywhere may claim any size.
import type { ByteReader } from "./byte-reader.ts";

const signatureBytes = 8;
/** Our files have four. */
const mostChunks = 64;

/** The text of the first tEXt chunk of that keyword, in Latin-1; null when there is none, or it is longer than
 * `longest`. */
export async function pngText(bytes: ByteReader, keyword: string, longest: number): Promise<string | null> {
  let at = signatureBytes;
  for (let count = 0; count < mostChunks; count++) {
    const header = Buffer.from(await bytes.read(at, 8));
    if (header.length < 8) return null;
    const length = header.readUInt32BE(0);
    const type = header.toString("latin1", 4);
    if (type === "IEND") return null;
    if (type === "tEXt" && length <= longest + keyword.length + 1) {
      const content = Buffer.from(await bytes.read(at + 8, length));
      const end = content.indexOf(0);
      if (content.length === length && end >= 0 && content.toString("latin1", 0, end) === keyword)
        return content.toString("latin1", end + 1);
    }
    at += 8 + length + 4;
  }
  return null;
}
