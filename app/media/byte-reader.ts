// Parts of a file by position, from the disk or from memory, for readers of files that may come from anywhere.
import { open, stat, type FileHandle } from "node:fs/promises";
import { RushesError } from "../../contract/errors.ts";

export interface ByteReader {
  /** The whole file's, bytes. */
  readonly size: number;
  /** What lies there; less than asked for where the file ends. */
  read(at: number, length: number): Promise<Uint8Array>;
}

/** Calls `work` with the opened file and closes it afterwards. Throws file.unreadable when there is no such file. */
export async function withBytes<T>(file: string | Uint8Array, work: (bytes: ByteReader) => Promise<T>): Promise<T> {
  if (typeof file !== "string")
    return work({ size: file.length, read: async (at, length) => file.subarray(at, at + length) });
  const handle = await openFile(file);
  try {
    const { size } = await handle.stat();
    return await work({
      size,
      read: async (at, length) => {
        const wanted = Math.max(0, Math.min(length, size - at));
        const { buffer, bytesRead } = await handle.read(new Uint8Array(wanted), 0, wanted, at);
        return buffer.subarray(0, bytesRead);
      },
    });
  } finally {
    await handle.close();
  }
}

/** Opens a file for reading, and nothing else: a pipe would wait for a writer, a device never ends. Throws
 * file.unreadable. */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    if (!(await stat(path)).isFile()) throw new Error("It is not a file.");
    return await open(path, "r");
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new RushesError("file.unreadable", { sentence: `${path} cannot be read.`, detail, cause: error });
  }
}
