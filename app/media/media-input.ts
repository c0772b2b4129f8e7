// Opens a container file for reading, from the disk or from memory. What a hostile file claims about sizes is cut to what is
// there.
import { open, stat, type FileHandle } from "node:fs/promises";
import type { Input, InputFormat } from "mediabunny";
import { RushesError } from "../../contract/errors.ts";

/** Calls `read` with the opened file and closes it afterwards. Throws file.unreadable when there is no such file; what
 * `read` throws passes. */
export async function withMediaInput<T>(
  file: string | Uint8Array,
  formats: readonly InputFormat[],
  read: (input: Input) => Promise<T>,
): Promise<T> {
  const { BufferSource, CustomSource, Input: MediaInput } = await import("mediabunny");
  if (typeof file !== "string") {
    const input = new MediaInput({ source: new BufferSource(file), formats: [...formats] });
    try {
      return await read(input);
    } finally {
      input.dispose();
    }
  }
  const handle = await openFile(file);
  try {
    const { size } = await handle.stat();
    const source = new CustomSource({
      getSize: () => size,
      read: async (start, end) => {
        const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
        return bytes.subarray(0, bytesRead);
      },
    });
    const input = new MediaInput({ source, formats: [...formats] });
    try {
      return await read(input);
    } finally {
      input.dispose();
    }
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
