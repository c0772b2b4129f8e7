// Where the library is: one folder with videos, latents, history and presets.
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The folder that was asked for, else RUSHES_LIBRARY, else Videos/Rushes in the home folder; absolute. */
export function libraryFolderOf(asked: string | undefined): string {
  return namedLibraryFolder(asked) ?? join(homedir(), "Videos", "Rushes");
}

/** The folder that was asked for, else RUSHES_LIBRARY, absolute; null where neither names one. */
export function namedLibraryFolder(asked: string | undefined): string | null {
  const named = asked ?? (process.env["RUSHES_LIBRARY"] || null);
  return named === null ? null : resolve(named);
}
