// Quantities, tables and progress lines as people read them.
import { describe, expect, test } from "vitest";
import { int8Line } from "../../../app/cli/commands/generate.ts";
import { formatClock, formatSeconds, formatTable } from "../../../app/cli/format.ts";
import { barLine } from "../../../app/cli/job-progress.ts";
import { describeError } from "../../../app/cli/output.ts";
import { RushesError } from "../../../contract/errors.ts";

describe("quantities", () => {
  test.each([
    [0.123, "0.12 s"],
    [12.34, "12.3 s"],
    [59.97, "1 min 00 s"],
    [125, "2 min 05 s"],
    [3725, "1 h 02 min"],
  ])("%d seconds are %s", (seconds, text) => expect(formatSeconds(seconds)).toBe(text));
  test.each([
    [7, "0:07"],
    [761, "12:41"],
    [3725, "1:02:05"],
  ])("%d seconds on a clock are %s", (seconds, text) => expect(formatClock(seconds)).toBe(text));
  test("the sum of quantization", () =>
    expect(int8Line({ layers: 300, bytes16: 2.784e9, bytes: 1.392e9 })).toBe(
      "int8 on 300 linear layers, 2.78 GB -> 1.39 GB",
    ));
});

test("columns are as wide as their widest cell, numbers at the right", () => {
  const rows = [
    ["a", 1],
    ["bcd", 100],
  ];
  expect(formatTable(rows)).toBe("a      1\nbcd  100");
});

test("a progress line has stage, step, share, elapsed and remaining time", () => {
  const progress = { stage: "sample", fraction: 0.5, step: 2, steps: 4, overall: 0.43, etaSeconds: 9 } as const;
  expect(barLine(progress, 7)).toBe("Sampling  step 2/4  [#########-----------]   43%  0:07  ETA 0:09");
  expect(barLine({ ...progress, stage: "text", step: 0, overall: 2, etaSeconds: null }, 0, "1/3  ")).toBe(
    "1/3  Reading the prompt  [####################]  100%  0:00",
  );
});

test("an error is its code, its sentence and what to do; the detail only when asked for", () => {
  const error = new RushesError("disk.full", {
    sentence: "No room.",
    detail: "errno 28",
    neededBytes: 2e9,
    freeBytes: 1e6,
  });
  expect(describeError(error, false)).toBe(
    "error (disk.full): No room.\nNeeded 2.00 GB, free 1.0 MB.\nFree some space, or choose another library with --library.",
  );
  expect(describeError(error, true)).toMatch(/\nerrno 28$/);
});
