// What the golden cases compare: each something else, and what is easy to get wrong among it.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSafetensors } from "./safetensors.ts";

const folder = join(import.meta.dirname, "golden");
const cases = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
const tensorsOf = (name: string) => join(folder, name, "tensors.safetensors");

test("no two cases hold the same tensors", () => {
  const hashes = cases.map((name) =>
    createHash("sha256")
      .update(readFileSync(tensorsOf(name)))
      .digest("hex"),
  );
  expect(new Set(hashes).size).toBe(cases.length);
});

test("a whole transformer is compared with one key block kept and with several, never with all", () => {
  const keptOfAll = cases.flatMap((name) => {
    const { kind, topk } = JSON.parse(readFileSync(join(folder, name, "case.json"), "utf8")) as {
      kind: string;
      topk?: number;
    };
    if (kind !== "dit" || topk === undefined) return [];
    const [, , frames, rows, columns] = readSafetensors(tensorsOf(name)).latents!.shape;
    // Patches of 1 x 2 x 2, key blocks of 64 (TurboDiffusion's block sizes).
    const blocks = Math.ceil((frames! * rows! * columns!) / 4 / 64);
    return [[Math.max(1, Math.floor(topk * blocks)), blocks]];
  });
  expect(keptOfAll.map(([kept]) => kept)).toEqual(expect.arrayContaining([1, 2]));
  for (const [kept, blocks] of keptOfAll) expect(kept).toBeLessThan(blocks!);
});
