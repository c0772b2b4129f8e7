// What the browser may do through the server: paths inside chosen folders only, nothing that needs a desktop.
import { lstat, realpath, rm } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { DoorCapabilities } from "../../contract/channels/studio.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Door } from "../channels/door.ts";

const capabilities: DoorCapabilities = {
  showInFolder: false,
  chooseFiles: false,
  anyPath: false,
  notifications: false,
  systemTrash: false,
};

/** The door of a server whose clients may name paths under `roots` (absolute folders). */
export function browserDoor(roots: readonly string[]): Door {
  const desktopOnly = () => Promise.reject(new RushesError("capability.missing"));
  return {
    kind: "browser",
    capabilities,
    roots,
    language: null,
    allowedPath: (path) => allowedPath(path, roots),
    choosePath: desktopOnly,
    chooseLanguage: () => {},
    showInFolder: desktopOnly,
    discardFile,
  };
}

/** A server has no trash that anybody looks into: what is purged is gone. */
export async function discardFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** The path with its links followed, when that lies in one of the folders. What lies elsewhere is refused with the same
 * words whether it exists or not. */
export async function allowedPath(path: string, roots: readonly string[]): Promise<string> {
  if (isAbsolute(path) && !path.includes("\0")) {
    const real = await followed(resolve(path));
    for (const root of roots) {
      // A root that cannot be looked at (an unplugged disk) is no reason to refuse what lies in the others.
      const folder = await followed(root).catch(() => null);
      if (folder !== null && isInside(real, folder)) return real;
    }
  }
  throw new RushesError("path.refused");
}

/** Follows links as far as the path exists; the rest has none. */
async function followed(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    const { code } = error as NodeJS.ErrnoException;
    // A link that points nowhere could later point anywhere.
    if (parent === path || code !== "ENOENT" || (await isLink(path))) throw new RushesError("path.refused");
    return join(await followed(parent), basename(path));
  }
}

async function isLink(path: string): Promise<boolean> {
  return await lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}
