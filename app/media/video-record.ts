// What Rushes writes into its files about how they were made, and reading it back from an MP4, a WebM or the first PNG of
// an exported folder. Files may come from anywhere: nothing in them is believed.
import { RushesError } from "../../contract/errors.ts";
import { type ByteReader, withBytes } from "./byte-reader.ts";
import { mp4Comment } from "./mp4-comment.ts";
import { pngText } from "./png-text.ts";
import { webmComment } from "./webm-comment.ts";

/** How a video was made. */
export interface VideoRecord {
  /** Version of this form. */
  rushes: 1;
  /** The job's uid. */
  job: string;
  model: string;
  /** Every setting, resolved. */
  settings: Record<string, unknown>;
}

/** The keyword of the PNG text chunk that holds the record. */
export const pngKeyword = "Comment";

/** A prompt of the greatest length, escaped, is far below this; more is not ours. */
const longestRecord = 1 << 20;

/** The record inside a video file; null when the file was not made by Rushes or is neither MP4 nor WebM. Throws
 * file.unreadable when there is no such file. */
export async function readSettings(path: string): Promise<VideoRecord | null> {
  return readVideoRecord(path);
}

/** The same for a file that may be in memory already. */
export async function readVideoRecord(file: string | Uint8Array): Promise<VideoRecord | null> {
  return withBytes(file, async (bytes) => {
    const container = await containerOf(bytes);
    return container === "png" ? null : recordIn(bytes, container);
  });
}

export type RecordContainer = "mp4" | "webm" | "png";

/** What a file dropped on the window says about how it was made, whatever its name. A path or the file's bytes. Throws
 * video.foreign where it was not made by Rushes (or is damaged), file.unreadable where there is no such file. */
export async function readVideoSettings(
  file: string | Uint8Array,
): Promise<{ container: RecordContainer; record: VideoRecord }> {
  return withBytes(file, async (bytes) => {
    const container = await containerOf(bytes);
    const record = await recordIn(bytes, container);
    if (container && record) return { container, record };
    throw new RushesError("video.foreign", typeof file === "string" ? `${file} was not made by Rushes.` : {});
  });
}

/** The record's text for a PNG text chunk, which holds Latin-1 only: JSON with everything else escaped. */
export function asciiRecord(record: VideoRecord): string {
  return JSON.stringify(record).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

async function recordIn(bytes: ByteReader, container: RecordContainer | null): Promise<VideoRecord | null> {
  const text =
    container === "mp4"
      ? await mp4Comment(bytes, longestRecord)
      : container === "webm"
        ? await webmComment(bytes, longestRecord)
        : container === "png"
          ? await pngText(bytes, pngKeyword, longestRecord)
          : null;
  return text === null ? null : parseRecord(text);
}

function parseRecord(text: string): VideoRecord | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is VideoRecord {
  if (typeof value !== "object" || value === null) return false;
  const { rushes, job, model, settings } = value as Record<string, unknown>;
  const named = typeof job === "string" && typeof model === "string";
  return rushes === 1 && named && typeof settings === "object" && settings !== null && !Array.isArray(settings);
}

/** By the first bytes: ISO/IEC 14496-12 4.3 (a file type box), EBML's identifier, PNG's signature. */
async function containerOf(bytes: ByteReader): Promise<RecordContainer | null> {
  const first = await bytes.read(0, 12);
  const begins = (bytes: readonly number[], at = 0) => bytes.every((byte, index) => first[at + index] === byte);
  if (begins([0x66, 0x74, 0x79, 0x70], 4)) return "mp4";
  if (begins([0x1a, 0x45, 0xdf, 0xa3])) return "webm";
  return begins([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) ? "png" : null;
}
