// Where values stand on a slider, and which values it gives back.
import { describe, expect, test } from "vitest";
import { moved, nearest, positionOf, type Scale, valueAt } from "../../../renderer/parts/scale.ts";

const frames: Scale = { min: 5, max: 241, step: 4, base: 1, kind: "linear" };
const sigma: Scale = { min: 1, max: 1600, step: 1, base: 0, kind: "logarithmic" };
const topk: Scale = { min: 0.01, max: 1, step: 0.01, base: 0.01, kind: "linear" };

describe.each([
  ["frames", frames],
  ["sigma", sigma],
  ["top-k", topk],
])("%s", (_name, scale) => {
  test("the ends are the ends", () => {
    expect(valueAt(0, scale)).toBe(scale.min);
    expect(valueAt(1, scale)).toBe(scale.max);
    expect(positionOf(scale.min, scale)).toBe(0);
    expect(positionOf(scale.max, scale)).toBe(1);
    expect(positionOf(scale.max * 10, scale)).toBe(1);
  });

  test("every value it gives is a step, in range, and found again where it was", () => {
    for (let place = 0; place <= 1; place += 0.003) {
      const value = valueAt(place, scale);
      expect(value).toBe(nearest(value, scale));
      expect(value).toBeGreaterThanOrEqual(scale.min);
      expect(value).toBeLessThanOrEqual(scale.max);
      expect(valueAt(positionOf(value, scale), scale)).toBe(value);
    }
  });

  test("arrow keys reach the other end and stop there", () => {
    let value = scale.min;
    for (let presses = 0; presses < 400 && value < scale.max; presses++) {
      const next = moved(value, 1, scale);
      expect(next).toBeGreaterThan(value);
      value = next;
    }
    expect(value).toBe(scale.max);
    expect(moved(value, 1, scale)).toBe(value);
  });
});

test("a range that does not begin on a step begins at the first one inside", () => {
  expect(nearest(0, { min: 6, max: 20, step: 4, base: 1, kind: "linear" })).toBe(9);
  expect(nearest(99, { min: 6, max: 20, step: 4, base: 1, kind: "linear" })).toBe(17);
});
