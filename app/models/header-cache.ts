// Headers that were read once: a form asks for the same model with every letter typed. A file that changed is read again.
import { stat } from "node:fs/promises";
import type { Inspection } from "../engine/addon.ts";
import type { Inspect } from "./find-model.ts";

/** More files than any machine has models. */
const mostHeaders = 500;

/** `inspect`, remembering what it gave for a path while size and time of the file stay as they were. Errors are not
 * kept. */
export function withHeaderCache(inspect: Inspect): Inspect {
  const known = new Map<string, { stamp: string; header: Promise<Inspection> }>();
  return async (path) => {
    const stamp = await stampOf(path);
    const kept = known.get(path);
    if (kept && kept.stamp === stamp) return kept.header;
    const header = inspect(path);
    if (known.size >= mostHeaders) known.clear();
    known.set(path, { stamp, header });
    header.catch(() => known.delete(path));
    return header;
  };
}

async function stampOf(path: string): Promise<string> {
  const facts = await stat(path).catch(() => null);
  return facts ? `${facts.mtimeMs} ${facts.size} ${facts.ino}` : "";
}
