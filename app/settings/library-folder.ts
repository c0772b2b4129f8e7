// Where the library is: one folder with videos, latents, history and presets.
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { RushesError } from "../../contract/errors.ts";

/** The folder that was asked for, else RUSHES_LIBRARY, else Videos/Rushes in the home folder; absolute. Throws usage.invalid. */
export function libraryFolderOf(asked: string | undefined): string {
  return namedLibraryFolder(asked) ?? join(homedir(), "Videos", "Rushes");
}

/** The folder that was asked for, else RUSHES_LIBRARY, absolute; null where neither names one. Throws usage.invalid where what
 * was asked for is empty, as a script's unset variable is: the current folder was not meant. */
export function namedLibraryFolder(asked: string | undefined): string | null {
  if (asked?.trim() === "")
    throw new RushesError("usage.invalid", {
      sentence: "--library is empty.",
      advice: "Name a folder, or leave it out for the usual one.",
    });
  const named = asked ?? (process.env["RUSHES_LIBRARY"] || null);
  return named === null ? null : resolve(named);
}
