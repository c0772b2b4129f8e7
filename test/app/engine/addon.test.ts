// The real addon behind the engine's process: what only it can show about memory, plans beside a generation, previews,
// and generations that are stopped and kept.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GenerateRequest, ModelFiles } from "../../../app/engine/addon.ts";
import { EngineClient } from "../../../app/engine/client.ts";
import type { CallEvent } from "../../../app/engine/messages.ts";

const demo = fileURLToPath(new URL("../../../models/demo/", import.meta.url));
const files: ModelFiles = {
  dit: join(demo, "demo-t2v-quant.pth"),
  vae: join(demo, "demo-vae.pth"),
  textEncoder: join(demo, "demo-umt5.pth"),
  textLength: 64,
};
const request = (settings: GenerateRequest["settings"]): GenerateRequest => ({
  settings: { width: 128, height: 128, numFrames: 17, numSteps: 4, seed: 3, ...settings },
  ids: Int32Array.of(8, 28, 41, 52, 11, 5, 29, 16, 1),
});

const folder = mkdtempSync(join(tmpdir(), "rushes-addon-"));
let engine: EngineClient;
beforeAll(() => void (engine = new EngineClient()));
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const ofKind = <K extends CallEvent["kind"]>(events: CallEvent[], kind: K) =>
  events.filter((event): event is Extract<CallEvent, { kind: K }> => event.kind === kind);

test("answers status and plans while a generation runs, and gives the memory back when it is unloaded", async () => {
  const before = await engine.call("status", []);
  expect(before).toMatchObject({ warm: null, busy: false });
  expect(before.memory.totalBytes).toBeGreaterThan(before.memory.freeBytes);
  let ended = false;
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const running = engine.call("generate", [files, request({ numFrames: 81 })], {
    onEvent: (event) => event.kind === "progress" && event.stage === "sample" && begin(),
  });
  void running.finally(() => (ended = true));
  await Promise.race([begun, running]);
  const status = await engine.call("status", []);
  const other = await engine.call("plan", [{ ...files, dit: join(demo, "demo-t2v.pth") }, {}, 9]);
  expect(ended).toBe(false);
  expect(status).toMatchObject({ busy: true, warm: { files } });
  expect(other).toMatchObject({ fits: true, fixes: [] });
  expect(other.stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample", "decode"]);
  await expect(engine.call("unload", [])).rejects.toMatchObject({ code: "engine.busy" });
  const report = await running;
  expect(report.keptStep).toBeNull();
  expect(report.int8?.names).toHaveLength(80);
  const after = await engine.call("status", []);
  expect(after.warm?.residentBytes).toBeGreaterThan(10_000_000);
  await engine.call("unload", []);
  const empty = await engine.call("status", []);
  expect(empty.warm).toBeNull();
  expect(after.residentBytes - empty.residentBytes).toBeGreaterThan((after.warm?.residentBytes ?? 0) / 2);
});

test("previews every step but the last, and ends every stage with its peak", async () => {
  const events: CallEvent[] = [];
  const onEvent = (event: CallEvent) => void events.push(event);
  const report = await engine.call("generate", [files, { ...request({}), preview: true }], { onEvent });
  const previews = ofKind(events, "preview");
  expect(previews.map(({ step }) => step)).toEqual([1, 2, 3]);
  for (const { rgb, width, height, approximate } of previews) {
    expect(rgb).toHaveLength(width * height * 3);
    expect([width, height]).toEqual(approximate ? [16, 16] : [128, 128]);
  }
  const stages = ofKind(events, "stage");
  expect(stages.map(({ stage, peakBytes }) => ({ stage, peakBytes }))).toEqual(
    report.stages.map(({ stage, peakBytes }) => ({ stage, peakBytes })),
  );
  expect(stages.every(({ finished }) => finished)).toBe(true);
});

test("keeps what a stopped generation has, and decodes it again", async () => {
  const keep = new AbortController();
  const latentsPath = join(folder, "kept.safetensors");
  const values = request({ width: 256, height: 256, numFrames: 33 });
  const report = await engine.call("generate", [files, { ...values, latentsPath }], {
    keep: keep.signal,
    onEvent: (event) => event.kind === "progress" && event.stage === "sample" && event.step === 1 && keep.abort(),
  });
  expect(report.keptStep).toBeGreaterThanOrEqual(1);
  expect(report.keptStep).toBeLessThan(4);
  expect(report.frames).toBe(33);
  expect(report.warnings.join()).toMatch(`after step ${report.keptStep} of 4`);
  const again = await engine.call("decode", [files, latentsPath, values.settings]);
  expect(again).toMatchObject({ keptStep: report.keptStep, frames: 33 });
});
