// The comment of an MP4 (moov, udta, meta, ilst, ©cmt, data). Own code, because a file from anywhere may make a reader of
// whole containers count to billions; this one looks at a bounded number of boxes and at no sample tables.
import type { ByteReader } from "./byte-reader.ts";

/** From the outside to the inside. */
const path = ["moov", "udta", "meta", "ilst", "\u00a9cmt", "data"];
/** Our files have about a dozen on the way. */
const mostBoxes = 2000;

interface Box {
  type: string;
  /** Of its content. */
  start: number;
  end: number;
}

/** The text, or null where there is none, or it is longer than `longest` bytes. */
export async function mp4Comment(bytes: ByteReader, longest: number): Promise<string | null> {
  let visited = 0;
  const search = async (depth: number, start: number, end: number): Promise<string | null> => {
    let at = start;
    while (at + 8 <= end && visited++ < mostBoxes) {
      const box = await readBox(bytes, at, end);
      if (!box) return null;
      if (box.type === path[depth]) {
        const found =
          depth === path.length - 1
            ? await readText(bytes, box, longest)
            : await search(depth + 1, await childrenOf(bytes, box), box.end);
        if (found !== null) return found;
      }
      at = box.end;
    }
    return null;
  };
  return search(0, 0, bytes.size);
}

async function readBox(bytes: ByteReader, at: number, end: number): Promise<Box | null> {
  const header = Buffer.from(await bytes.read(at, 16));
  if (header.length < 8) return null;
  const type = header.toString("latin1", 4, 8);
  const size = header.readUInt32BE(0);
  // 0: up to the end; 1: the size follows in 64 bits.
  if (size === 1 && header.length < 16) return null;
  const length = size === 0 ? end - at : size === 1 ? Number(header.readBigUInt64BE(8)) : size;
  const start = at + (size === 1 ? 16 : 8);
  return at + length >= start && at + length <= end ? { type, start, end: at + length } : null;
}

/** Meta has a version and flags before its children, except in QuickTime's own files. */
async function childrenOf(bytes: ByteReader, { type, start }: Box): Promise<number> {
  if (type !== "meta") return start;
  const isQuickTime = Buffer.from(await bytes.read(start + 4, 4)).toString("latin1") === "hdlr";
  return isQuickTime ? start : start + 4;
}

/** Behind a type (1: UTF-8) and a language. */
async function readText(bytes: ByteReader, { start, end }: Box, longest: number): Promise<string | null> {
  if (end - start < 8 || end - start - 8 > longest) return null;
  const content = Buffer.from(await bytes.read(start, end - start));
  return content.length === end - start && content.readUInt32BE(0) === 1 ? content.toString("utf8", 8) : null;
}
