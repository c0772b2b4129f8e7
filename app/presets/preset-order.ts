// The order of a library's presets and the one that is the default: a small file beside them. It may be lost or damaged
// without loss of a preset.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../media/whole-file.ts";

const orderFile = z.object({
  /** Ids; those that are gone keep their place for when they come back. */
  order: z.array(z.string().max(300)).max(100_000).catch([]),
  default: z.string().max(300).nullable().catch(null),
});

export type PresetOrder = z.infer<typeof orderFile>;

const name = ".order.json";

export function readOrder(folder: string): PresetOrder {
  try {
    return orderFile.parse(JSON.parse(readFileSync(join(folder, name), "utf8")));
  } catch {
    return { order: [], default: null };
  }
}

/** Throws file.unwritable or disk.full. */
export async function writeOrder(folder: string, order: PresetOrder): Promise<void> {
  await replaceFile(join(folder, name), Buffer.from(`${JSON.stringify(order, null, 2)}\n`));
}

/** The ids in the kept order; those it does not know come after, as they were. */
export function inOrder<T extends { id: string }>(entries: readonly T[], { order }: PresetOrder): T[] {
  const places = new Map(order.map((id, place) => [id, place]));
  const place = ({ id }: T) => places.get(id) ?? Number.MAX_SAFE_INTEGER;
  return [...entries].sort((left, right) => place(left) - place(right));
}
