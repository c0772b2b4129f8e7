// The step strip's numbers are the engine's: both are held to the same golden case.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expertsOf, noiseLevels } from "../../contract/settings/noise-levels.ts";

const golden = JSON.parse(readFileSync(new URL("../golden/time-steps/case.json", import.meta.url), "utf8")) as {
  rows: [sigmaMax: number, numSteps: number, ...times: number[]][];
};

describe("noise levels", () => {
  test.each(golden.rows)("Sigma Max %d, %d steps", (sigmaMax, numSteps, ...times) => {
    const levels = noiseLevels(numSteps, sigmaMax);
    // The golden row ends with the 0 that follows the last step.
    expect(levels).toHaveLength(times.length - 1);
    for (const [index, level] of levels.entries()) expect(level).toBeCloseTo(times[index] ?? NaN, 14);
  });
  test("as the product says them", () => {
    expect(noiseLevels(4, 80).map((level) => level.toFixed(3))).toEqual(["0.988", "0.934", "0.853", "0.609"]);
  });
  test("what no model takes still has an answer", () => {
    expect(noiseLevels(0, 80)).toHaveLength(1);
    expect(noiseLevels(100, 80)).toHaveLength(4);
    expect(noiseLevels(2, 1e9)).toEqual(noiseLevels(2, 1600));
    expect(noiseLevels(2, Infinity)).toEqual(noiseLevels(2, 1600));
    expect(noiseLevels(2, -5)).toEqual(noiseLevels(2, 1));
    expect(noiseLevels(NaN, 80)).toEqual([]);
  });
  const experts = (sigmaMax: number, boundary: number) => expertsOf(noiseLevels(4, sigmaMax), boundary);
  test("the high-noise expert runs down to the boundary", () => {
    expect(experts(200, 0.9)).toEqual(["high", "high", "low", "low"]);
    expect(experts(200, 0.995)).toEqual(["high", "low", "low", "low"]);
  });
  test("once a step was below the boundary, the low-noise expert stays", () => {
    expect(noiseLevels(4, 5).map((level) => level.toFixed(3))).toEqual(["0.833", "0.934", "0.853", "0.609"]);
    expect(experts(5, 0.9)).toEqual(["low", "low", "low", "low"]);
    expect(experts(5, 0.83)).toEqual(["high", "high", "high", "low"]);
  });
});
