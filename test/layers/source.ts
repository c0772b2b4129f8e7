// The sources the layer test reads: every file of the rooms, as path and text. Nothing here knows a rule.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One file; `path` is relative to the project's root, with forward slashes. */
export interface Source {
  path: string;
  text: string;
}

/** A rule that one file breaks, as a sentence that begins with the file's path. */
export type Problem = string;

const rooms = ["contract", "app", "renderer", "addon", "test", "tools"];
const readable = /\.(ts|tsx|js|mjs|cjs|svelte|cpp|h|hpp|cc|c|cu|cuh)$/;

export function readSources(root: string): Source[] {
  return rooms
    .filter((room) => existsSync(join(root, room)))
    .flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && readable.test(entry.name))
        .map((entry) => {
          const absolute = join(entry.parentPath, entry.name);
          return {
            path: absolute.slice(root.length + 1).replaceAll("\\", "/"),
            text: readFileSync(absolute, "utf8"),
          };
        }),
    );
}
