// The extra copy a user asks for: a folder, where it never overwrites, or a file by name, which it replaces.
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { RushesError } from "../../contract/errors.ts";

export interface CopyTarget {
  path: string;
  /** The user named this file. */
  replace: boolean;
}

/** Where the copy of a library video goes. */
export function copyTarget(savePath: string, videoName: string): CopyTarget {
  if (isFolder(savePath)) return { path: join(savePath, videoName), replace: false };
  return { path: extname(savePath) === "" ? `${savePath}.mp4` : savePath, replace: true };
}

/** The absolute path; throws file.unwritable when nothing could be written there. The folder itself may be missing. */
export function checkSavePath(savePath: string): string {
  // resolve() drops the closing separator that says "a folder".
  const absolute = /[\\/]$/.test(savePath) ? `${resolve(savePath)}/` : resolve(savePath);
  const { path } = copyTarget(absolute, "video.mp4");
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw unwritable(path, "it is a folder");
  let folder = dirname(path);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  if (!statSync(folder).isDirectory()) throw unwritable(path, `${folder} is a file`);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(path, error instanceof Error ? error.message : String(error));
  }
  return absolute;
}

function isFolder(path: string): boolean {
  return /[\\/]$/.test(path) || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function unwritable(path: string, detail: string): RushesError {
  return new RushesError("file.unwritable", { sentence: `${path} cannot be written.`, detail });
}
