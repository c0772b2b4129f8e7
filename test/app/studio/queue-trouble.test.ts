// What a queue that cannot run writes into the log, and how long it rests.
import { expect, test } from "vitest";
import { QueueTrouble } from "../../../app/studio/queue-trouble.ts";

const damaged = new Error("The library's history file is damaged.");
const full = new Error("The disk is full.");

/** A queue that fails at once with each of these; the lines it leaves and its rests. */
function failing(errors: readonly unknown[]) {
  const trouble = new QueueTrouble();
  const lines: string[] = [];
  const rests: number[] = [];
  let now = 0;
  for (const error of errors) {
    const { line, rest } = trouble.met(error, 0, now);
    if (line !== null) lines.push(line);
    rests.push(rest);
    now += rest;
  }
  return { lines, rests };
}

test("the same trouble a hundred times leaves a handful of lines, the first of them whole", () => {
  const { lines, rests } = failing(Array.from({ length: 100 }, () => damaged));
  expect(lines.length).toBeLessThan(12);
  expect(lines[0]).toBe(`the queue stopped: ${damaged.stack}`);
  expect(lines[1]).toMatch(/^the queue stopped \d+ times more: The library's history file is damaged\.$/);
  const more = lines.slice(1).map((line) => Number(/\d+/.exec(line)?.[0]));
  expect(more.reduce((sum, count) => sum + count, 1)).toBeGreaterThan(85);
  expect(rests.slice(0, 7)).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
});

test("other trouble is told at once; what is no error too", () => {
  const { lines } = failing([damaged, full, full, "a word"]);
  expect(lines).toEqual(
    [damaged, full].map(({ stack }) => `the queue stopped: ${stack}`).concat("the queue stopped: a word"),
  );
});

test("after a run that lasted the queue rests briefly again", () => {
  const trouble = new QueueTrouble();
  for (const expected of [2000, 4000, 8000]) expect(trouble.met(full, 100, 0).rest).toBe(expected);
  expect(trouble.met(full, 61_000, 0).rest).toBe(2000);
});
