// The frame of a video that begins with a picture.
import { describe, expect, test } from "vitest";
import { adaptiveSize, pictureInFrame } from "../../contract/settings/picture-size.ts";
import { randomNumbers } from "../random-numbers.ts";

const hd = { width: 1280, height: 720 };

describe("a frame in the picture's shape", () => {
  // int(round(sqrt(area / r) / 16) * 16) and int(round(sqrt(area * r) / 16) * 16) in Python.
  test.each([
    [hd, { width: 4000, height: 3000 }, { width: 1104, height: 832 }],
    [hd, { width: 3000, height: 4000 }, { width: 832, height: 1104 }],
    [hd, { width: 1, height: 1 }, { width: 960, height: 960 }],
    [hd, { width: 1920, height: 1080 }, hd],
    [
      { width: 832, height: 480 },
      { width: 1024, height: 768 },
      { width: 736, height: 544 },
    ],
    [
      { width: 128, height: 128 },
      { width: 200, height: 100 },
      { width: 176, height: 96 },
    ],
  ])("%o for %o is %o", (chosen, picture, frame) => expect(adaptiveSize(chosen, picture)).toEqual(frame));

  test("a side in the middle between two multiples of 16 goes to the even one, as Python rounds", () => {
    // sqrt(area / r) is 40 and 56: 2.5 and 3.5 times 16.
    expect(adaptiveSize({ width: 40, height: 40 }, { width: 1, height: 1 })).toEqual({ width: 32, height: 32 });
    expect(adaptiveSize({ width: 56, height: 56 }, { width: 1, height: 1 })).toEqual({ width: 64, height: 64 });
  });

  test("keeps the area within the rounding, and its sides within what can be computed", () => {
    const random = randomNumbers(7);
    for (let round = 0; round < 500; round++) {
      const picture = { width: 1 + Math.floor(random() * 8000), height: 1 + Math.floor(random() * 8000) };
      const { width, height } = adaptiveSize(hd, picture);
      for (const side of [width, height]) {
        expect(side % 16).toBe(0);
        expect(side).toBeGreaterThanOrEqual(16);
        expect(side).toBeLessThanOrEqual(4096);
      }
    }
    const large = { width: 4096, height: 2304 };
    expect(adaptiveSize(large, { width: 1, height: 1 })).toEqual({ width: 2304, height: 2304 });
    expect(adaptiveSize(large, { width: 3, height: 4 })).toEqual({ width: 2304, height: 3072 });
    expect(adaptiveSize(hd, { width: 100_000, height: 1 })).toEqual({ width: 4096, height: 16 });
  });
});

describe("a picture in a frame of another shape", () => {
  const frame = { width: 100, height: 50 };
  test.each([
    ["fill", { width: 50, height: 50 }, { left: 0, top: -25, width: 100, height: 100 }],
    ["fit", { width: 50, height: 50 }, { left: 25, top: 0, width: 50, height: 50 }],
    ["stretch", { width: 50, height: 50 }, { left: 0, top: 0, width: 100, height: 50 }],
    ["fill", { width: 400, height: 100 }, { left: -50, top: 0, width: 200, height: 50 }],
    ["fit", { width: 400, height: 100 }, { left: 0, top: 12.5, width: 100, height: 25 }],
  ] as const)("%s puts %o at %o", (fit, picture, place) => expect(pictureInFrame(picture, frame, fit)).toEqual(place));
});
