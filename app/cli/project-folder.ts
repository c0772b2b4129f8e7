// Where the project lies, from its sources or from its compiled form in out/.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { RushesError } from "../../contract/errors.ts";

/** The folder of package.json above this file. */
export function projectFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new RushesError("engine.internal", { detail: `No package.json above ${import.meta.dirname}.` });
    folder = parent;
  }
  return folder;
}
