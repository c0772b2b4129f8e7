// docs/DEPENDENCIES.md and package.json name the same packages, each once.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
  "dependencies" | "devDependencies",
  Record<string, string>
>;
const page = readFileSync(join(root, "docs/DEPENDENCIES.md"), "utf8");

/** Names in the first column of the tables under headings that begin with "npm". */
function named(): string[] {
  const sections = page.split(/^## /m).filter((section) => section.startsWith("npm"));
  const cells = sections.flatMap((section) => [...section.matchAll(/^\| (?!package \||---)([^|]+) \|/gm)]);
  return cells.flatMap(([, cell = ""]) => cell.match(/(?:@[a-z0-9-]+\/)?[a-z][a-z0-9-]*/g) ?? []);
}

test("every dependency has its row and no other", () => {
  const installed = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(named().sort()).toEqual(installed.sort());
});
