// Telling one weights file from another without reading all of it, and the names of cached prompt embeddings.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { EngineSettings } from "../../contract/settings/derive.ts";

/** Both ends hold what changes with any tensor: a safetensors header; a .pth's directory with a CRC-32 of each one. */
const endBytes = 256 << 10;
const samples = 64;
const sampleBytes = 4096;

/** Size, both ends and evenly spread samples of the content, as a hash: 0.8 MB of reading for a file of any size. */
export async function fingerprint(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const hash = createHash("sha256").update(`${size}\n`);
    const buffer = Buffer.alloc(endBytes);
    const add = async (position: number, length: number) => {
      const { bytesRead } = await file.read(buffer, 0, length, position);
      hash.update(buffer.subarray(0, bytesRead));
    };
    await add(0, endBytes);
    const stride = Math.floor(size / samples);
    if (size > 2 * endBytes) for (let i = 1; i < samples; i++) await add(i * stride, sampleBytes);
    await add(Math.max(0, size - endBytes), endBytes);
    return hash.digest("hex");
  } finally {
    await file.close();
  }
}

/** A short name for these files' content, in their order; one that cannot be read counts as empty. */
export async function contentName(paths: readonly string[]): Promise<string> {
  const prints = await Promise.all(paths.map((path) => fingerprint(path).catch(() => "")));
  return createHash("sha256").update(prints.join("\n")).digest("hex").slice(0, 12);
}

/** Raised when the same prompt and encoder would give other embeddings. */
const embeddingForm = 2;

/** Everything the text stage's result depends on, as a file name. `settings`: as they are resolved for the attempt, since what
 * was asked for says little of what runs. */
export function embeddingName(
  ids: Int32Array,
  encoderFingerprint: string,
  textLength: number,
  settings: Pick<EngineSettings, "textEncoderFormat" | "precision" | "device">,
): string {
  const { textEncoderFormat, precision, device } = settings;
  const key = JSON.stringify([embeddingForm, encoderFingerprint, textLength, textEncoderFormat, precision, device]);
  return `${createHash("sha256").update(key).update(ids).digest("hex")}.safetensors`;
}
