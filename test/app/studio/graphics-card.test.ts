// The graphics card in words: one that is used, one that is not, and none.
import { describe, expect, test } from "vitest";
import type { Gpu } from "../../../app/engine/addon.ts";
import { cardFacts, cardLine } from "../../../app/studio/graphics-card.ts";

const used: Gpu = { name: "A card", reason: "", architecture: "9.0", totalBytes: 24 * 2 ** 30, driver: "13.0" };
const unused: Gpu = { name: "An old card", reason: "It is too old.", advice: "Choose the device cpu.", driver: "12.2" };
const none: Gpu = { name: null, reason: "No NVIDIA driver is installed." };

describe("the graphics card", () => {
  test("has its name, memory and driver", () => {
    expect(cardFacts(used)).toEqual([
      ["Name", "A card"],
      ["Memory", "24.0 GB"],
      ["Compute capability", "9.0"],
      ["Driver's CUDA", "13.0"],
    ]);
    expect(cardLine(used)).toBe("A card, 24.0 GB, compute capability 9.0, driver for CUDA 13.0");
  });

  test("says why it is not used", () => {
    expect(cardFacts(unused)).toEqual([
      ["Name", "An old card"],
      ["Driver's CUDA", "12.2"],
      ["Not used", "It is too old. Choose the device cpu."],
    ]);
    expect(cardLine(unused)).toBe("An old card, driver for CUDA 12.2; not used: It is too old. Choose the device cpu.");
  });

  test("says why there is none", () => {
    expect(cardFacts(none)).toEqual([["Name", "none: No NVIDIA driver is installed."]]);
    expect(cardLine({ ...none, advice: "Install it." })).toBe("none: No NVIDIA driver is installed. Install it.");
    expect(cardLine({ name: null, reason: "" })).toBe("none");
  });
});
