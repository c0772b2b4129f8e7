// Files and folders appear whole or not at all: written under a temporary name in the same folder, flushed, then given their name.
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { link, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { asRushesError, RushesError } from "../../contract/errors.ts";

const partialSuffix = ".partial";

/** Writes a file that may replace another of the name. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  await written(
    path,
    (append) => append(bytes),
    async (partial) => rename(partial, path),
  );
}

/** Writes a file under the wanted name, or with -2, -3, ... when it is taken; gives the path it got. `claim` hears
 * the path, and is awaited, before the file comes into being. */
export async function addFile(
  wanted: string,
  bytes: Uint8Array,
  claim: (path: string) => void | Promise<void> = () => {},
): Promise<string> {
  return addStreamedFile(wanted, (append) => append(bytes), claim);
}

/** Takes the next bytes of a file. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/** The same for a file whose bytes come one after the other. When `write` throws, there is no file. */
export async function addStreamedFile(
  wanted: string,
  write: (append: Append) => Promise<void>,
  claim: (path: string) => void | Promise<void> = () => {},
): Promise<string> {
  let path = wanted;
  await written(wanted, write, async (partial) => {
    for (let count = 1; ; count++) {
      path = count === 1 ? wanted : withSuffix(wanted, `-${count}`);
      if (existsSync(path)) continue;
      await claim(path);
      if (await giveName(partial, path)) return;
    }
  });
  return path;
}

/** Adds a folder of files under the wanted name, or with -2, -3, ... when it is taken; gives the path it got. It appears
 * whole: when `fill` throws, there is no folder. */
export async function addFolder(
  wanted: string,
  fill: (add: (name: string, bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<string> {
  const partial = partialPath(wanted);
  let bytes = 0;
  try {
    makeFolder(dirname(wanted));
    mkdirSync(partial);
    await fill(async (name, content) => {
      bytes += content.length;
      const file = await open(join(partial, name), "wx");
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
    });
    await syncFolder(partial);
    for (let count = 1; ; count++) {
      const path = count === 1 ? wanted : `${wanted}-${count}`;
      if (await giveFolderName(partial, path)) {
        await syncFolder(dirname(path));
        return path;
      }
    }
  } catch (error) {
    throw describe(error, wanted, bytes);
  } finally {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
  }
}

/** The engine's own temporary names (addon/src/files/safetensors_writer.cpp). */
const enginePartial = /\.part-\d+-\d+$/;

/** Removes what writers that ended left behind. Call it on folders of the library while nobody writes there. */
export async function removePartialFiles(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names)
    if ((name.startsWith(".") && name.endsWith(partialSuffix)) || enginePartial.test(name))
      await rm(join(folder, name), { recursive: true, force: true });
}

/** The same for one file in a folder of the user's. */
export async function removePartialsOf(path: string): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => []);
  const prefix = partialPrefix(path);
  for (const name of names)
    if (name.startsWith(prefix) && name.endsWith(partialSuffix)) await rm(join(dirname(path), name), { force: true });
}

/** Makes a folder and those above it. Not mkdir's own recursion, which never ends where a folder cannot have folders (as
 * in /proc). */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** "clip.mp4" and "-2" to "clip-2.mp4". */
export function withSuffix(path: string, suffix: string): string {
  const extension = extname(path);
  return `${path.slice(0, path.length - extension.length)}${suffix}${extension}`;
}

async function written(
  path: string,
  write: (append: Append) => Promise<void>,
  publish: (partial: string) => Promise<void>,
): Promise<void> {
  const partial = partialPath(path);
  let bytes = 0;
  try {
    makeFolder(dirname(path));
    const file = await open(partial, "w");
    try {
      await write(async (content) => {
        bytes += content.length;
        // Goes on where the last one ended.
        await file.writeFile(content);
      });
      await file.sync();
    } finally {
      await file.close();
    }
    await publish(partial);
    await syncFolder(dirname(path));
  } catch (error) {
    throw describe(error, path, bytes);
  } finally {
    await rm(partial, { force: true }).catch(() => {});
  }
}

function partialPath(path: string): string {
  return join(dirname(path), `${partialPrefix(path)}${randomUUID()}${partialSuffix}`);
}

/** Bytes of a name that its temporary names, longer by 46, repeat as it is. File systems take 255 in all, some 143. */
const longestBase = 64;

/** What the temporary names of this file begin with. The hash tells long names apart that begin alike. */
function partialPrefix(path: string): string {
  const name = basename(path);
  if (Buffer.byteLength(name) <= longestBase) return `.${name}.`;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return `.${[...name].slice(0, 12).join("")}-${hash}.`;
}

/** False when the name is taken. An empty folder of one's own holds the name until the rename. */
async function giveFolderName(partial: string, path: string): Promise<boolean> {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    // Windows does not rename onto a folder.
    if (process.platform === "win32") await rmdir(path);
    await rename(partial, path);
    return true;
  } catch (error) {
    await rmdir(path).catch(() => {});
    throw error;
  }
}

/** False when the name is taken. A hard link never replaces a file, which rename would; where the file system has no
 * links, an empty file holds the name until the rename. */
async function giveName(partial: string, path: string): Promise<boolean> {
  try {
    await link(partial, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code ?? "")) throw error;
  }
  try {
    await (await open(path, "wx")).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  await rename(partial, path);
  return true;
}

/** The name itself is safe only when its folder is flushed; some systems cannot flush folders. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

function describe(error: unknown, path: string, bytes: number): RushesError {
  // Whatever carries no system's code came from the writer of the content.
  if (error instanceof RushesError || typeof (error as { code?: unknown }).code !== "string")
    return asRushesError(error);
  const { code, detail } = asRushesError(error);
  if (code === "disk.full")
    return new RushesError("disk.full", {
      sentence: `The disk that holds ${dirname(path)} is full.`,
      detail,
      neededBytes: bytes,
    });
  return new RushesError("file.unwritable", { sentence: `${path} cannot be written.`, detail, cause: error });
}
