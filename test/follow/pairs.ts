// What sentences say and what the built program's clips of them show.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Form, makeClips } from "./clips.ts";
import { seen } from "./seen.ts";
import type { Pair } from "./shares.ts";
import type { Scene } from "./world.ts";

/** Makes a clip of each sentence with the demo model. */
export async function makePairs(meant: readonly Scene[], form: Form): Promise<Pair[]> {
  const folder = mkdtempSync(join(tmpdir(), "rushes-follow-"));
  try {
    const entries = meant.map(({ sentence }) => ({ prompt: sentence }));
    const clips = await makeClips("demo", entries, form, folder);
    return meant.map(({ properties: said }, index) => ({ said, seen: seen(clips[index]!) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
