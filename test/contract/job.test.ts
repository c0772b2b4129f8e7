// The states of a job and the moves between them.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isFinal, jobStates, mayMove } from "../../contract/job.ts";

const allowed = [
  ["queued", "running"],
  ["queued", "cancelled"],
  ["queued", "failed"],
  ["running", "done"],
  ["running", "failed"],
  ["running", "cancelled"],
  ["running", "queued"],
  ["failed", "queued"],
  ["cancelled", "queued"],
];

test("jobs move along the drawing's arrows and no others", () => {
  for (const from of jobStates)
    for (const to of jobStates)
      expect(mayMove(from, to), `${from} -> ${to}`).toBe(allowed.some(([a, b]) => a === from && b === to));
});

test("the drawing names every state", () => {
  const drawing = readFileSync(new URL("../../contract/job.ts", import.meta.url), "utf8").split("*/")[0];
  for (const state of jobStates) expect(drawing).toContain(state);
});

test("done, failed and cancelled are the ends", () => {
  expect(jobStates.filter(isFinal)).toEqual(["done", "failed", "cancelled"]);
});
