// Pictures and videos at the addresses of contract/channels/media.ts. An address holds a kind and a number or an id, never
// a path; where the file lies, the studio says. Answers web requests, so that the server and the shell share it. A draft's
// picture, which has a path alone, is picture-response.ts.
import { bytesResponse, fileResponse, notFound, type ServedFile } from "./file-response.ts";

/** What an address of media.ts names. */
export interface MediaItem {
  readonly kind: "video" | "poster" | "preview" | "input" | "upload" | "export";
  /** The job's number, or the id of an upload or export. */
  readonly id: string;
  /** Previews: the step. */
  readonly step: number | null;
}

/** A file, bytes in memory, or null where there is nothing. */
export type MediaAnswer = Omit<ServedFile, "cache"> | { readonly bytes: Uint8Array; readonly type: string } | null;

export interface MediaSource {
  media(item: MediaItem): Promise<MediaAnswer> | MediaAnswer;
}

const address = /^\/media\/(video|poster|preview|input|upload|export)\/([A-Za-z0-9_-]{1,64})$/;
/** Asked again each time, answered with 304 when it is the same: another library may be opened at this address, with other
 * files under the same numbers. */
const askAgain = "private, no-cache";

/** Answers an address under /media/, by GET or HEAD; 404 for anything else. */
export async function mediaResponse(request: Request, source: MediaSource): Promise<Response> {
  const item = itemOf(new URL(request.url));
  const answer = item && (await source.media(item));
  if (!answer) return notFound();
  if ("bytes" in answer) return bytesResponse(request, answer.bytes, answer.type, "private, no-store");
  return await fileResponse(request, { ...answer, cache: askAgain });
}

function itemOf({ pathname, searchParams }: URL): MediaItem | null {
  const [, kind, id] = address.exec(pathname) ?? [];
  if (kind === undefined || id === undefined) return null;
  const isJob = kind !== "upload" && kind !== "export";
  if (isJob && !/^[1-9]\d{0,14}$/.test(id)) return null;
  const step = searchParams.get("step");
  return { kind: kind as MediaItem["kind"], id, step: step !== null && /^\d{1,6}$/.test(step) ? Number(step) : null };
}
