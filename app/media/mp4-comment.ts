// The comment of an MP4 (moov, udta, meta, ilst, ©cmt, data). Own code, because a file from anywhere may make a reader of
// whole containers count to billions; this one looks at a bounded number of boxes and at no sample tables.
import type { ByteReader } from "./byte-reader.ts";
import { type Box, BoxReader } from "./mp4-boxes.ts";

/** From the outside to the inside. */
const path = ["moov", "udta", "meta", "ilst", "\u00a9cmt", "data"];

/** The text, or null where there is none, or it is longer than `longest` bytes. */
export async function mp4Comment(bytes: ByteReader, longest: number): Promise<string | null> {
  const reader = new BoxReader(bytes);
  const search = async (depth: number, start: number, end: number): Promise<string | null> => {
    for await (const box of reader.boxes(start, end)) {
      if (box.type !== path[depth]) continue;
      const found =
        depth === path.length - 1
          ? await readText(bytes, box, longest)
          : await search(depth + 1, await childrenOf(bytes, box), box.end);
      if (found !== null) return found;
    }
    return null;
  };
  return search(0, 0, bytes.size);
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
