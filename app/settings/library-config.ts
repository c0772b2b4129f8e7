// The config file of a library. Apart from config-file.ts so that looking for it loads no YAML parser.
import { existsSync } from "node:fs";
import { join } from "node:path";

/** config.yaml in the library folder, read when no other config file is named; null where there is none. */
export function libraryConfigFile(libraryFolder: string): string | null {
  const file = join(libraryFolder, "config.yaml");
  return existsSync(file) ? file : null;
}
