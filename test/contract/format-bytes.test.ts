// Sizes as sentences have them.
import { expect, test } from "vitest";
import { formatBytes, formatMemory } from "../../contract/format-bytes.ts";

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1000, "1.0 kB"],
  [12_640_000, "12.6 MB"],
  [999_600_000, "1.00 GB"],
  [2_783_969_280, "2.78 GB"],
  [123_000_000_000, "123 GB"],
])("%d bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0, "0 bytes"],
  [1023, "1023 bytes"],
  [1024, "1.0 kB"],
  [24 * 2 ** 30, "24.0 GB"],
  [7.8 * 2 ** 30, "7.8 GB"],
  [512 * 2 ** 30, "512 GB"],
])("%d bytes of memory are %s", (bytes, text) => expect(formatMemory(bytes)).toBe(text));
