// A file as the answer to a web request: byte ranges, validators, HEAD. Knows neither Node's HTTP nor Electron, so that the
// server and the shell's app:// protocol answer the same. Which file it is, others decide.
import { type FileHandle, open } from "node:fs/promises";

export interface ServedFile {
  readonly path: string;
  /** Content type, complete. */
  readonly type: string;
  /** Cache-Control. */
  readonly cache: string;
  /** Offered for saving under this name instead of being shown. */
  readonly downloadName?: string;
}

/** Bytes of a piece read from the disk at a time. */
const pieceBytes = 256 * 1024;

interface ByteRange {
  readonly start: number;
  /** The last byte, included. */
  readonly end: number;
}

/** Answers GET and HEAD: 200, 206, 304 or 416; 404 when the file is gone. The file stays open until the body is read or
 * given up. */
export async function fileResponse(request: Request, file: ServedFile): Promise<Response> {
  let handle: FileHandle;
  try {
    handle = await open(file.path, "r");
  } catch {
    return notFound();
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) {
      await handle.close();
      return notFound();
    }
    return await respond(request, file, handle, { size: stats.size, modified: stats.mtimeMs });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export function notFound(): Response {
  return new Response("Not found\n", { status: 404, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** Bytes that lie in memory; the same validators, no ranges. */
export function bytesResponse(request: Request, bytes: Uint8Array, type: string, cache: string): Response {
  const headers = { "content-type": type, "cache-control": cache, "content-length": String(bytes.length) };
  // Copied into a buffer of its own: a view into shared memory is no body.
  return new Response(request.method === "HEAD" ? null : new Uint8Array(bytes), { headers });
}

async function respond(
  request: Request,
  file: ServedFile,
  handle: FileHandle,
  { size, modified }: { size: number; modified: number },
): Promise<Response> {
  const tag = `"${size.toString(36)}-${Math.floor(modified).toString(36)}"`;
  const headers = new Headers({
    "content-type": file.type,
    "cache-control": file.cache,
    "accept-ranges": "bytes",
    etag: tag,
    "last-modified": new Date(modified).toUTCString(),
  });
  if (file.downloadName !== undefined) headers.set("content-disposition", attachment(file.downloadName));
  const withoutBody = async (status: number) => {
    await handle.close();
    return new Response(null, { status, headers });
  };
  if (matches(request.headers.get("if-none-match"), tag)) return withoutBody(304);

  const asked = request.headers.get("range");
  const mayRange = asked !== null && sameVersion(request.headers.get("if-range"), tag, modified);
  const range = mayRange ? rangeOf(asked, size) : null;
  if (range === "unsatisfiable") {
    headers.set("content-range", `bytes */${size}`);
    headers.set("content-length", "0");
    return withoutBody(416);
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  headers.set("content-length", String(end + 1 - start));
  if (range) headers.set("content-range", `bytes ${start}-${end}/${size}`);
  const status = range ? 206 : 200;
  if (request.method === "HEAD" || size === 0) return withoutBody(status);
  return new Response(pieces(handle, start, end), { status, headers });
}

/** Read when the reader asks, so that a slow one costs one open file and nothing else. */
function pieces(handle: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let at = start;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { bytesRead, buffer } = await handle.read(
            new Uint8Array(Math.min(pieceBytes, end + 1 - at)),
            0,
            undefined,
            at,
          );
          if (bytesRead === 0) throw new Error("the file became shorter while it was sent");
          at += bytesRead;
          controller.enqueue(buffer.subarray(0, bytesRead));
          if (at <= end) return;
          await handle.close();
          controller.close();
        } catch (error) {
          await handle.close().catch(() => {});
          controller.error(error);
        }
      },
      cancel: () => handle.close(),
    },
    { highWaterMark: 0 },
  );
}

/** One range of RFC 9110, section 14; null: the header is to be ignored (another unit, several ranges, bad form). */
function rangeOf(header: string, size: number): ByteRange | "unsatisfiable" | null {
  const [, from = "", to = ""] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header) ?? [];
  if (from === "" && to === "") return null;
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  if (to !== "" && Number(to) < start) return null;
  if (start >= size) return "unsatisfiable";
  return { start, end: to === "" ? size - 1 : Math.min(Number(to), size - 1) };
}

function matches(header: string | null, tag: string): boolean {
  if (header === null) return false;
  return header.trim() === "*" || header.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);
}

/** If-Range: the rest of another version is no use. */
function sameVersion(header: string | null, tag: string, modified: number): boolean {
  if (header === null) return true;
  if (header.includes('"')) return header.trim() === tag;
  return Date.parse(header) === Math.floor(modified / 1000) * 1000;
}

/** RFC 6266 with the name in both forms, so that no character of it can end the header. */
function attachment(name: string): string {
  const plain = name.replace(/[^\w.\- ]/g, "_");
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
