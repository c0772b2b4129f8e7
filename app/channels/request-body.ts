// Request bodies, read no further than they may be long.
import { RushesError } from "../../contract/errors.ts";

/** How much more than the limit is read away before a refusal, bytes: a client that is cut off while it still sends would
 * hear of a broken connection, not of the refusal. */
const readAway = 32_000_000;

/** Pieces of a body until it ends. Throws request.too_large when it is longer than `limit` bytes; nothing is kept of
 * what is longer. */
export async function* bodyPieces(request: Request, limit: number): AsyncGenerator<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > limit + readAway) throw tooLarge(limit);
  let bytes = 0;
  if (!request.body) return;
  for await (const piece of request.body as ReadableStream<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > limit + readAway) break;
    if (Math.max(bytes, announced) <= limit) yield piece;
  }
  if (Math.max(bytes, announced) > limit) throw tooLarge(limit);
  if (bytes < announced)
    throw new RushesError("request.invalid", { sentence: "The request ended before its body did." });
}

/** The body as JSON; nothing at all counts as {}. Throws request.invalid or request.too_large. */
export async function jsonBody(request: Request, limit: number): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bodyPieces(request, limit)) pieces.push(piece);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw new RushesError("request.invalid", { sentence: "The request is not UTF-8 text." });
  }
  if (text.trim() === "") return {};
  try {
    // A key that would be taken for an object's prototype has no meaning in any request.
    const withoutPrototype = (key: string, value: unknown) => (key === "__proto__" ? undefined : value);
    return JSON.parse(text, text.includes("__proto__") ? withoutPrototype : undefined);
  } catch (error) {
    throw new RushesError("request.invalid", {
      sentence: "The request is not valid JSON.",
      detail: error instanceof Error ? error.message.slice(0, 200) : "",
    });
  }
}

function tooLarge(limit: number): RushesError {
  return new RushesError("request.too_large", {
    sentence: `The request is larger than the ${Math.floor(limit / 1e6)} MB that are accepted here.`,
  });
}
