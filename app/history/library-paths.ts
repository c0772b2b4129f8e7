// Which paths lie inside the library's folder, and what becomes of them when that folder lies elsewhere. Where they are
// written down is writes/library-folder.ts.
import { statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve, sep } from "node:path";
import type { HistoryDatabase } from "./database.ts";

/** The folder that holds the history holds the library. */
export function folderOf(database: HistoryDatabase): string {
  return dirname(resolve(database.name));
}

/** True for paths inside the library, by whatever name its folder is called. Nothing else is the library's to remove. */
export function isInLibrary(database: HistoryDatabase, path: string): boolean {
  if (!isAbsolute(path)) return false;
  const folder = folderOf(database);
  for (let at = resolve(path); dirname(at) !== at;) {
    at = dirname(at);
    if (at === folder || isSameFolder(at, folder)) return true;
  }
  return false;
}

/** True where two names mean one folder: through links, mounts, or a file system that does not tell capitals apart. */
export function isSameFolder(one: string, other: string): boolean {
  const [first, second] = [identityOf(one), identityOf(other)];
  return first !== null && first === second;
}

function identityOf(folder: string): string | null {
  if (!isAbsolute(folder)) return null;
  try {
    const facts = statSync(folder, { bigint: true });
    // Some network file systems number nothing.
    return facts.isDirectory() && facts.ino !== 0n ? `${facts.dev} ${facts.ino}` : null;
  } catch {
    return null;
  }
}

/** Gives a path of one of the former folders its place in the present one; leaves every other path as it is. */
export function mover(former: readonly string[], present: string): (path: string) => string {
  // The longest first: a library may lie inside its former folder, or around it.
  const folders = [...new Set([...former, present])].sort((one, other) => other.length - one.length);
  return (path) => {
    for (const folder of folders) {
      const rest = within(path, folder);
      if (rest === null) continue;
      return folder === present ? path : join(present, ...rest);
    }
    return path;
  };
}

/** The path below a folder in segments, the last one empty where it ends with a separator; null: it lies elsewhere. The
 * folder may be one of another system. */
function within(path: string, folder: string): string[] | null {
  const separators = separatorsOf(folder);
  const start = folder.replace(/[\\/]+$/, "");
  if (start === "" || !path.startsWith(start)) return null;
  const [first, ...segments] = path.slice(start.length).split(separators);
  if (first !== "") return null;
  return segments.at(-1) === "" ? [...segments.slice(0, -1), sep] : segments;
}

/** The three parts of a path to a file the library made, <library>/videos/name.mp4; null for any other path. */
export function libraryPathParts(path: string): { folder: string; kind: string; name: string } | null {
  const segments = path.split(separatorsOf(path));
  const [kind = "", name = ""] = segments.slice(-2);
  if (segments.length < 3 || !["videos", "latents", "inputs"].includes(kind)) return null;
  return { folder: path.slice(0, path.length - kind.length - name.length - 2), kind, name };
}

/** On other systems a backslash may be part of a name. */
function separatorsOf(path: string): RegExp {
  return /^([A-Za-z]:|\\\\)/.test(path) ? /[\\/]/ : /\//;
}
