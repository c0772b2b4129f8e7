// What is generated from the catalogue is what lies in the tree.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { generatedFiles } from "../../tools/generate-settings.ts";

const root = join(import.meta.dirname, "../..");

describe("files generated from the catalogue", () => {
  test.each([...generatedFiles()])("%s is up to date", (path, text) => {
    expect(readFileSync(join(root, path), "utf8"), "run node tools/generate-settings.ts").toBe(text);
  });
});
