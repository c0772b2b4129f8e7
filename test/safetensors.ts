// Reads the golden cases' tensors for tests in TypeScript. Small and trusting: the files are the project's own.
import { readFileSync } from "node:fs";

export interface GoldenTensor {
  dtype: string;
  shape: number[];
  bytes: Uint8Array<ArrayBuffer>;
}

export function readSafetensors(path: string): Record<string, GoldenTensor> {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return Object.fromEntries(
    Object.entries(header)
      .filter(([name]) => name !== "__metadata__")
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => {
          const start = 8 + headerBytes;
          return [name, { dtype, shape, bytes: new Uint8Array(file.subarray(start + from, start + to)) }];
        },
      ),
  );
}

/** Whole numbers of any width. */
export function integersOf({ dtype, bytes }: GoldenTensor): number[] {
  if (dtype === "I64") return Array.from(new BigInt64Array(bytes.buffer), Number);
  if (dtype === "I32") return [...new Int32Array(bytes.buffer)];
  if (dtype === "U8") return [...bytes];
  throw new TypeError(`${dtype} holds no whole numbers`);
}
