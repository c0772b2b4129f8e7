// The extra copy a user asks for: a folder, where it never overwrites, or a file by name, which it replaces.
import { randomUUID } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import { makeFolder } from "../media/whole-file.ts";

export interface CopyTarget {
  path: string;
  /** The user named this file. */
  replace: boolean;
}

/** Where the copy of a library video goes. */
export function copyTarget(savePath: string, videoName: string): CopyTarget {
  if (isFolder(savePath)) return { path: join(savePath, videoName), replace: false };
  return { path: /\.(mp4|m4v)$/i.test(savePath) ? savePath : `${savePath}.mp4`, replace: true };
}

/** Endings of files that are no MP4: under such a name it would be taken for something else, or replace it. */
const otherFormats = /\.(gif|webm|webp|avif|mov|mkv|avi|png|jpe?g|bmp|txt|csv|jsonl?|ya?ml|safetensors|pth)$/i;

/** The absolute path of an accepted copy. Makes its folder and tries to write there: rights alone say little (read-only
 * and special file systems). Throws file.unwritable, or settings.invalid for another format's ending. */
export async function checkSavePath(savePath: string): Promise<string> {
  // resolve() drops the closing separator that says "a folder".
  const absolute = /[\\/]$/.test(savePath) ? `${resolve(savePath)}/` : resolve(savePath);
  const { path } = copyTarget(absolute, "video.mp4");
  const other = isFolder(absolute) ? null : otherFormats.exec(absolute);
  if (other)
    throw new RushesError("settings.invalid", {
      sentence: `The video is written as MP4, not as ${other[0].toLowerCase()}: ${absolute}.`,
      advice: "Give a name that ends in .mp4; GIF, WebM and pictures are exported from a finished video.",
    });
  const probe = join(dirname(path), `.rushes-${randomUUID()}.partial`);
  try {
    makeFolder(dirname(path));
    await (await open(probe, "wx")).close();
    await rm(probe, { force: true });
  } catch (error) {
    throw unwritable(path, error);
  }
  checkFileName(path);
  return absolute;
}

/** Throws file.unwritable where the file system takes no such name: nobody is to learn that after a generation. The folder
 * is there. */
export function checkFileName(path: string): void {
  try {
    statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): RushesError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new RushesError("file.unwritable", {
    sentence: `${path} cannot be written.`,
    advice: code === "ENAMETOOLONG" ? "Choose a shorter name." : undefined,
    detail: message,
    cause: error,
  });
}

function isFolder(path: string): boolean {
  // statSync alone throws for a name that is too long.
  return /[\\/]$/.test(path) || (existsSync(path) && statSync(path).isDirectory());
}
