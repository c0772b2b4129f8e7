// Opens a container file with mediabunny. What a hostile file claims about sizes is cut to what is there.
import type { Input, InputFormat } from "mediabunny";
import { type ByteReader, withBytes } from "./byte-reader.ts";

/** Calls `work` with the opened file and closes it afterwards. Throws file.unreadable when there is no such file; what
 * `work` throws passes. */
export async function withMediaInput<T>(
  path: string,
  formats: readonly InputFormat[],
  work: (input: Input, bytes: ByteReader) => Promise<T>,
): Promise<T> {
  const { CustomSource, Input: MediaInput } = await import("mediabunny");
  return withBytes(path, async (bytes) => {
    const source = new CustomSource({
      getSize: () => bytes.size,
      read: async (start, end) => bytes.read(start, end - start),
    });
    const input = new MediaInput({ source, formats: [...formats] });
    try {
      return await work(input, bytes);
    } finally {
      input.dispose();
    }
  });
}
