// Embeddings of prompts, kept so that a prompt that is used again need not be encoded again. The engine writes and reads them;
// here it is decided which of them a job uses, and how many stay.
import { existsSync } from "node:fs";
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { EngineSettings } from "../../contract/settings/derive.ts";

/** All kept embeddings together. One of umT5-XXL takes 8.4 MB (512 tokens x 4096 x 4 bytes): some 240 prompts. */
export const keptEmbeddingBytes = 2e9;

/** The resolved settings with the text encoder's format that an attempt is to keep to, since its embedding is named after it. A
 * format that was left open is 16 bits wherever that embedding is kept already: it is the better one, and takes no encoder's
 * memory, so that a job may fit with no other. */
export function settledFormat(
  asked: Partial<EngineSettings>,
  resolved: EngineSettings,
  pathOf: (settings: EngineSettings) => string,
): EngineSettings {
  const in16Bit: EngineSettings = { ...resolved, textEncoderFormat: "16-bit" };
  return asked.textEncoderFormat === "auto" && existsSync(pathOf(in16Bit)) ? in16Bit : resolved;
}

/** Says that this embedding is used now. Its time of reading would say so too, but many file systems do not keep it. */
export async function markEmbeddingUsed(path: string): Promise<void> {
  const now = new Date();
  // There is none yet, or it cannot be marked: it goes a little earlier then.
  await utimes(path, now, now).catch(() => {});
}

/** Removes those that were used the longest ago, until the others fit; for the process that runs the queue, between two
 * jobs. */
export async function removeOldEmbeddings(folder: string, mostBytes = keptEmbeddingBytes): Promise<void> {
  const kept = await Promise.all(
    (await readdir(folder).catch(() => [])).map(async (name) => {
      const path = join(folder, name);
      const { size, mtimeMs } = await stat(path);
      return { path, size, usedAt: mtimeMs };
    }),
  );
  let bytes = 0;
  for (const { path, size } of kept.sort((one, other) => other.usedAt - one.usedAt)) {
    bytes += size;
    if (bytes > mostBytes) await rm(path, { force: true });
  }
}
