// What sentences say and what the built program's clips of them show.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Form, makeClips } from "./clips.ts";
import { seen } from "./seen.ts";
import type { Pair } from "./shares.ts";
import { scenes } from "./world.ts";

/** Makes a clip of each of `count` sentences with the demo model. */
export async function makePairs(count: number, seed: number, form: Form): Promise<Pair[]> {
  const folder = mkdtempSync(join(tmpdir(), "rushes-follow-"));
  try {
    const meant = scenes(count, seed);
    const entries = meant.map(({ sentence }) => ({ prompt: sentence }));
    const clips = await makeClips("demo", entries, form, folder);
    return meant.map(({ properties: said }, index) => ({ said, seen: seen(clips[index]!) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
