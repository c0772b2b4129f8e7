// The schemas in the tree are those of the contract's types.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { generatedFiles } from "../../../tools/generate-channels.ts";

const root = join(import.meta.dirname, "../../..");

describe("files generated from the channels' types", () => {
  test.each([...generatedFiles()])("%s is up to date", (path, text) => {
    expect(readFileSync(join(root, path), "utf8"), "run npm run channels").toBe(text);
  });
});
