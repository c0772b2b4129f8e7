// Settings that only a graphics card uses: offered where Rushes computes on one, said to be unused where a job runs on none.
import { rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Gpu } from "../../../app/engine/addon.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing } from "../engine/plumbing.ts";

const gpu: Gpu = { name: "A card", reason: "", architecture: "8.9", totalBytes: 24 * 2 ** 30, driver: "13.0" };
const prompt = "A red ball bounces on a blue background";
const unused = "Offload (on) is not used without a graphics card.";

let plumbing: Plumbing;
let studio: Studio;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 5 });
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
});
afterEach(() => studio.close());

const check = (values: object) => studio.form.check({ values: { prompt, ...values }, presetId: null });

describe("offload", () => {
  test("is hidden where no card is used, and said to do nothing where it was chosen all the same", async () => {
    const { hidden, warnings } = await check({});
    expect(hidden).toContain("offload");
    expect(warnings).toEqual([]);
    expect((await check({ offload: "on" })).warnings).toEqual([unused]);
    expect((await studio.enqueue({ prompt, settings: { offload: "on" } })).warnings).toEqual([unused]);
  });

  test("is offered where one is used, and not remarked on by a job that runs on it", async () => {
    plumbing.script({ stepMs: 5, gpu, card: "A card" });
    const { hidden, warnings } = await check({ offload: "on", device: "cuda" });
    expect(hidden).not.toContain("offload");
    expect(warnings).toEqual([]);
    expect((await check({ offload: "on", device: "cpu" })).warnings).toEqual([unused]);
  });

  test("reaches the engine", async () => {
    const calls = vi.spyOn(studio.engine, "call");
    await studio.enqueue({ prompt, settings: { offload: "off" } });
    const [, settings] = calls.mock.calls.find(([method]) => method === "plan")![1];
    expect(settings).toMatchObject({ offload: "off" });
    calls.mockRestore();
  });
});
