// The version of this copy of Rushes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "./project-folder.ts";

/** "0.1.0", from package.json. */
export function version(): string {
  const { version: text } = JSON.parse(readFileSync(join(projectFolder(), "package.json"), "utf8")) as {
    version: string;
  };
  return text;
}
