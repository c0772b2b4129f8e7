// Preview pictures in memory: which are there, and for how long.
import { decode } from "fast-png";
import { describe, expect, test } from "vitest";
import { PreviewStore } from "../../../app/studio/preview-store.ts";
import { until } from "../engine/plumbing.ts";

/** A picture whose every byte is its step. */
const picture = (step: number) => ({
  ...{ step, rgb: new Uint8Array(2 * 2 * 3).fill(step), width: 2, height: 2 },
  approximate: step < 3,
});
const stepOf = (png: Uint8Array | null) => png && decode(png).data[0];

describe("a job's pictures", () => {
  test("are the one asked for, else the latest; two of them are kept", () => {
    const previews = new PreviewStore();
    for (const step of [1, 2, 3]) previews.keep(7, picture(step));
    expect([1, 2, 3, null].map((step) => stepOf(previews.png(7, step)))).toEqual([3, 2, 3, 3]);
    expect(previews.png(8, 1)).toBeNull();
  });

  test("are told of: the latest one, until the job becomes another video", () => {
    const previews = new PreviewStore();
    for (const step of [2, 3]) previews.keep(7, picture(step));
    expect(previews.latest(7)).toEqual({ step: 3, width: 2, height: 2, approximate: false });
    previews.forget(7);
    expect(previews.latest(7)).toBeNull();
  });

  test("are forgotten some time after its end, unless it gives new ones", async () => {
    const previews = new PreviewStore(50);
    previews.keep(1, picture(1));
    previews.keep(2, picture(1));
    previews.forgetLater(1);
    previews.forgetLater(2);
    expect(stepOf(previews.png(1, 1))).toBe(1);
    previews.keep(2, picture(2));
    await until(() => previews.png(1, 1) === null, "the first job's to be forgotten", 5000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(stepOf(previews.png(2, null))).toBe(2);
  });

  test("are those of the last few jobs only, however many wait with some", () => {
    const previews = new PreviewStore();
    for (const jobId of [1, 2, 3, 4, 1, 5]) previews.keep(jobId, picture(1));
    expect([1, 2, 3, 4, 5].filter((jobId) => previews.png(jobId, null) === null)).toEqual([2]);
  });
});
