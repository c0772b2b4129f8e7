// The queue with the real engine and the demo model: previews while it samples, a stop that keeps the estimate, a pause that
// gives the memory back and goes on to the same bits.
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode as decodePng } from "fast-png";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { StudioEvent } from "../../../contract/channels/events.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { until } from "../../app/engine/plumbing.ts";
import { probe } from "../../app/media/encoded-clip.ts";
import { projectRoot } from "../../app/cli/run-rushes.ts";

const demoModel = join(projectRoot, "models/demo");
let folder = "";
let studio: Studio;
let events: StudioEvent[];
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-queue-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(async () => {
  const libraryFolder = join(folder, "library");
  rmSync(libraryFolder, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder });
  events = [];
  studio.listen((event) => events.push(event));
  studio.run();
});
afterEach(() => studio.close());

const large = { prompt: "A large red ball bounces", seed: 42, width: 256, height: 256, numFrames: 33 };
async function add(values: object = large): Promise<number> {
  const [job] = await studio.queue.add([{ values }]);
  return job?.id ?? 0;
}
const job = (id: number) => studio.get(id)!;
const latents = (id: number) => readFileSync(job(id).latentsPath!).toString("base64");

test("a pause gives the model's memory back; the job goes on to the same bits", async () => {
  const whole = await add();
  await until(() => job(whole).state === "done", "the whole job", 120_000);
  const paused = await add();
  await until(() => job(paused).steps.length >= 1, "a step", 60_000);
  const busy = await studio.machineState.state();
  expect(busy).toMatchObject({ busy: true, warm: { model: "demo" } });
  studio.queue.pause();
  await until(() => job(paused).state === "queued", "the job to go back", 60_000);
  await until(async () => (await studio.machineState.state()).warm === null, "the memory to be free");
  expect((await studio.machineState.state()).engineBytes).toBeLessThan(busy.engineBytes);
  studio.queue.resume();
  await until(() => job(paused).state === "done", "the job", 120_000);
  expect(job(paused).resumedFromStep).toBeGreaterThanOrEqual(1);
  expect(latents(paused)).toBe(latents(whole));
});

test("a LoRA that was replaced while the queue was paused: the job begins anew with the new one", async () => {
  const look = join(folder, "library/loras/look.safetensors");
  copyFileSync(join(demoModel, "loras/night-palette.safetensors"), look);
  const values = { ...large, loras: [{ file: "look", strength: 1, expert: "both" }] };
  const paused = await add(values);
  await until(() => job(paused).steps.length >= 1, "a step", 60_000);
  studio.queue.pause();
  await until(() => job(paused).state === "queued", "the job to go back", 60_000);
  const bytes = readFileSync(look);
  for (let at = bytes.length - 1; at > bytes.length - 40_000; at -= 2) bytes[at]! ^= 0x80; // signs of bf16 numbers
  writeFileSync(look, bytes);
  studio.queue.resume();
  const whole = await add(values);
  await until(() => job(whole).state === "done", "both jobs", 240_000);
  expect(job(paused)).toMatchObject({ state: "done", resumedFromStep: 0 });
  expect(job(paused).log.map(({ line }) => line)).toContainEqual(expect.stringMatching(/^Begins anew: step \d/));
  expect(latents(paused)).toBe(latents(whole));
  const left = readdirSync(join(folder, "library/latents")).filter((name) => name.startsWith(job(paused).uid));
  expect(new Set(left.map((name) => /-(\w+)-step/.exec(name)?.[1] ?? "")).size).toBe(2); // one of weights, one of the whole
});

test("a preview comes of every step but the last, and stop and keep makes a whole video of the estimate", async () => {
  const id = await add();
  await until(() => events.some(({ kind }) => kind === "job:previewed"), "a preview", 60_000);
  expect(decodePng(studio.preview(id)!).width).toBeGreaterThan(0);
  studio.queue.keep(id);
  await until(() => job(id).state === "done", "the job", 120_000);
  const { keptStep, video, warnings, stages } = job(id);
  expect(keptStep).toBeGreaterThanOrEqual(1);
  expect(keptStep).toBeLessThan(4);
  expect(warnings.join()).toContain(`step ${keptStep}`);
  expect(probe(video!.path).nb_read_frames).toBe("33");
  expect(stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample", "decode", "save"]);
});
