// The COMMENT tag of a WebM (Segment, Tags, Tag, SimpleTag; RFC 9559). Own code for the reason in mp4-comment.ts: a bounded
// number of elements, and no clusters.
import type { ByteReader } from "./byte-reader.ts";

const segment = 0x18538067;
const tags = 0x1254c367;
const tag = 0x7373;
const simpleTag = 0x67c8;
const tagName = 0x45a3;
const tagString = 0x4487;
/** From the outside to the inside. */
const path = [segment, tags, tag, simpleTag];
/** Clusters included; a minute of video has about sixty. */
const mostElements = 5000;

interface Element {
  id: number;
  /** Of its content. */
  start: number;
  end: number;
}

/** The text, or null where there is none, or it is longer than `longest` bytes. */
export async function webmComment(bytes: ByteReader, longest: number): Promise<string | null> {
  let visited = 0;
  const children = async function* (start: number, end: number): AsyncGenerator<Element, void> {
    let at = start;
    while (at < end && visited++ < mostElements) {
      const element = await readElement(bytes, at, end);
      if (!element) return;
      yield element;
      at = element.end;
    }
  };
  const search = async (depth: number, start: number, end: number): Promise<string | null> => {
    if (depth === path.length) return readSimpleTag(children(start, end));
    for await (const element of children(start, end)) {
      const found = element.id === path[depth] ? await search(depth + 1, element.start, element.end) : null;
      if (found !== null) return found;
    }
    return null;
  };
  const readSimpleTag = async (parts: AsyncIterable<Element>): Promise<string | null> => {
    const texts = new Map<number, string>();
    for await (const { id, start, end } of parts)
      if ((id === tagName || id === tagString) && end - start <= longest)
        texts.set(id, Buffer.from(await bytes.read(start, end - start)).toString("utf8"));
    return texts.get(tagName)?.toUpperCase() === "COMMENT" ? (texts.get(tagString) ?? null) : null;
  };
  return search(0, 0, bytes.size);
}

async function readElement(bytes: ByteReader, at: number, end: number): Promise<Element | null> {
  const header = await bytes.read(at, 12);
  const idLength = vintLength(header[0]);
  if (idLength === null || idLength > 4) return null;
  const sizeLength = vintLength(header[idLength]);
  if (sizeLength === null || header.length < idLength + sizeLength) return null;
  const id = header.subarray(0, idLength).reduce((sum, byte) => sum * 256 + byte, 0);
  const [first = 0, ...rest] = header.subarray(idLength, idLength + sizeLength);
  const mask = (1 << (8 - sizeLength)) - 1;
  const isUnknown = (first & mask) === mask && rest.every((byte) => byte === 255);
  const size = rest.reduce((sum, byte) => sum * 256 + byte, first & mask);
  const start = at + idLength + sizeLength;
  // A size that is not known yet (a live stream's): up to the end.
  const stop = isUnknown ? end : start + size;
  return stop <= end ? { id, start, end: stop } : null;
}

/** Of a variable-length number, by the zeros before its first one. */
function vintLength(first: number | undefined): number | null {
  return first ? Math.clz32(first) - 23 : null;
}
