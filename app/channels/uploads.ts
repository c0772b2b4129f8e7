// Files that browsers and scripts send: written to disk as they come, their kind told by their first bytes and not by their
// name. Pictures are kept for a day for the drafts that name them; a video is read and removed.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import {
  mostPictureBytes,
  pictureEndingOf,
  type PictureEnding,
  pictureHeadBytes,
  pictureTypes,
} from "../media/picture-type.ts";
import { bodyPieces } from "./request-body.ts";

type Ending = PictureEnding | "mp4" | "webm";

const usualMostBytes = 1_000_000_000;
const keptFor = 24 * 3600 * 1000;
const mostKept = 200;
const mostAtOnce = 8;

export interface ReceivedFile {
  readonly id: string;
  readonly path: string;
  readonly isVideo: boolean;
}

export class Uploads {
  readonly #folder: string;
  readonly #mostBytes: number;
  #running = 0;

  /** `mostBytes`: of a video; pictures are limited to 100 MB or less. */
  constructor(folder: string, mostBytes = usualMostBytes) {
    this.#folder = folder;
    this.#mostBytes = mostBytes;
  }

  /** Writes the body to a file of its own. Throws request.invalid for what is neither a picture nor a video,
   * request.too_large, disk.full; nothing is left behind then. */
  async receive(request: Request): Promise<ReceivedFile> {
    if (this.#running >= mostAtOnce)
      throw new RushesError("engine.busy", {
        sentence: "Too many files are being sent at once.",
        advice: "Send it again in a moment.",
      });
    this.#running++;
    const id = randomBytes(18).toString("base64url");
    const partial = join(this.#folder, `${id}.partial`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await this.#forgetOld();
      const ending = await this.#write(request, partial);
      const path = join(this.#folder, `${id}.${ending}`);
      await rename(partial, path);
      return { id, path, isVideo: !(ending in pictureTypes) };
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    } finally {
      this.#running--;
    }
  }

  /** The picture of that id with its type, or null when there is none (any more). */
  picture(id: string): { path: string; type: string } | null {
    if (!/^[\w-]{24}$/.test(id)) return null;
    for (const [ending, type] of Object.entries(pictureTypes)) {
      const path = join(this.#folder, `${id}.${ending}`);
      if (existsSync(path)) return { path, type };
    }
    return null;
  }

  /** The picture's path, for whoever keeps a copy of it. Throws request.invalid when there is none (any more). */
  picturePath(id: string): string {
    const picture = this.picture(id);
    if (picture) return picture.path;
    throw new RushesError("request.invalid", {
      sentence: "There is no picture of this id any more.",
      advice: "Send the picture again; pictures that no job uses are kept for a day.",
    });
  }

  /** Removes a file that has been read. */
  async forget({ path }: ReceivedFile): Promise<void> {
    await rm(path, { force: true });
  }

  async #write(request: Request, path: string): Promise<Ending> {
    let file: FileHandle | null = null;
    let head = Buffer.alloc(0);
    let ending: Ending | null = null;
    let bytes = 0;
    try {
      for await (const piece of bodyPieces(request, this.#mostBytes)) {
        bytes += piece.byteLength;
        let whole: Uint8Array = piece;
        if (ending === null) {
          whole = head = Buffer.concat([head, piece]);
          if (head.length < pictureHeadBytes) continue;
          ending = endingOf(head);
        }
        if (ending in pictureTypes && bytes > mostPictureBytes)
          throw new RushesError("request.too_large", { sentence: "A picture may have 100 MB at most." });
        file ??= await open(path, "wx", 0o600);
        await file.write(whole);
      }
      return ending ?? endingOf(head);
    } finally {
      await file?.close();
    }
  }

  async #forgetOld(): Promise<void> {
    const names = await readdir(this.#folder);
    const files = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(this.#folder, name)).catch(() => null))?.mtimeMs ?? 0 })),
    );
    files.sort((one, other) => other.at - one.at);
    const old = files.filter(({ at }, index) => index >= mostKept || Date.now() - at > keptFor);
    for (const { name } of old) await rm(join(this.#folder, name), { force: true });
  }
}

function endingOf(head: Buffer): Ending {
  const picture = pictureEndingOf(head);
  if (picture) return picture;
  const text = head.toString("latin1");
  if (text.slice(4, 8) === "ftyp") return "mp4";
  if (text.startsWith("\x1a\x45\xdf\xa3")) return "webm";
  throw new RushesError("request.invalid", {
    sentence: "This is neither a picture (PNG, JPEG, WebP) nor a video (MP4, WebM).",
    advice: "Choose another file; this one may be damaged or of another kind than its name says.",
  });
}
