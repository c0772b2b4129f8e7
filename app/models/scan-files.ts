// Which files under a path may be parts of a model: by their names only, within bounds that a home folder or a loop of
// links cannot exceed.
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";

export interface FoundFiles {
  /** Checkpoints by ending, in order of their paths. */
  readonly checkpoints: string[];
  readonly tokenizers: string[];
  /** Folders with a manifest.json. */
  readonly manifests: string[];
  /** True when there was more than is looked at. */
  readonly more: boolean;
}

const deepest = 4;
const mostEntries = 20_000;
const mostCheckpoints = 200;
const checkpointEnding = /\.(pth|pt|safetensors|bin|ckpt)$/i;

/** Files below a folder, nearest first; `most` checkpoints. Folders that may not be read are passed over. */
export async function scanFolder(folder: string, depth = deepest, most = mostCheckpoints): Promise<FoundFiles> {
  const found: FoundFiles & { more: boolean } = { checkpoints: [], tokenizers: [], manifests: [], more: false };
  const seen = new Set<string>();
  let level = [folder];
  let entries = 0;
  for (let down = 0; down <= depth && level.length > 0; down++) {
    const next: string[] = [];
    for (const each of level) {
      const real = await realpath(each).catch(() => null);
      if (real === null || seen.has(real)) continue;
      seen.add(real);
      const names = (await readdir(each).catch(() => [])).sort();
      for (const name of names) {
        if (name.startsWith(".") || name === "node_modules") continue;
        if (++entries > mostEntries || found.checkpoints.length >= most) return { ...found, more: true };
        const path = join(each, name);
        const facts = await stat(path).catch(() => null);
        if (facts?.isDirectory()) next.push(path);
        else if (facts?.isFile() && checkpointEnding.test(name)) found.checkpoints.push(path);
        else if (facts?.isFile() && basename(path) === "tokenizer.json") found.tokenizers.push(path);
        else if (facts?.isFile() && name === "manifest.json") found.manifests.push(each);
      }
    }
    level = next;
  }
  return found;
}
