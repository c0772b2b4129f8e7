// What the window learns of the machine's graphics card: its name and memory where Rushes computes on it, else why not.
import { rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { StudioEvent } from "../../../contract/channels.ts";
import { machineChannels } from "../../../app/channels/machine-channels.ts";
import { presetChannels } from "../../../app/channels/preset-channels.ts";
import type { Gpu } from "../../../app/engine/addon.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { openDoor as door } from "../channels/open-door.ts";
import { Plumbing, until } from "../engine/plumbing.ts";

const used: Gpu = { name: "A card", reason: "", architecture: "8.9", totalBytes: 24 * 2 ** 30, driver: "13.0" };
const unused: Gpu = { name: "RTX 4070", reason: "Its driver is too old.", advice: "Update the driver." };

let plumbing: Plumbing;
let studio: Studio;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 5 });
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await studio.close();
});

const machine = async () => (await machineChannels(studio)["machine:state"]({}, door)).machine;
const fitting = async () => {
  const { presets } = await presetChannels(studio)["presets:list"]({}, door);
  return presets.filter(({ fits }) => fits).map(({ id }) => id);
};
/** Any question starts the engine. */
async function start(gpu?: Gpu): Promise<void> {
  plumbing.script({ stepMs: 5, ...(gpu && { gpu }) });
  await studio.engine.call("status", []);
}

describe("the machine's graphics card", () => {
  test("is the device where Rushes computes on it, and presets are marked for its memory", async () => {
    await start(used);
    const { device, card } = await machine();
    expect(device).toEqual({ kind: "gpu", name: "A card", totalBytes: 24 * 2 ** 30, usedBytes: null });
    expect(card).toBeNull();
    expect(await fitting()).toEqual(["14b-480p"]);
  });

  test("is named with the reason where it cannot be used, and the device is the CPU", async () => {
    await start(unused);
    const { device, card } = await machine();
    expect(device.kind).toBe("cpu");
    expect(device.usedBytes).not.toBeNull();
    expect(card).toEqual({ name: "RTX 4070", reason: "Its driver is too old.", advice: "Update the driver." });
    expect(await fitting()).toEqual(["cpu"]);
  });

  test("has no name where none is there, and the reason all the same", async () => {
    await start();
    expect((await machine()).card).toEqual({ name: null, reason: "none", advice: "" });
  });

  test("is asked for once of an engine that runs, which is not started for it, and again of the next one", async () => {
    plumbing.script({ stepMs: 5, gpu: used });
    const calls = vi.spyOn(studio.engine, "call");
    const asked = () => calls.mock.calls.filter(([method]) => method === "machine").length;
    expect((await machine()).card).toBeNull();
    expect(await fitting()).toEqual(["cpu"]);
    expect([studio.engine.processId, asked()]).toEqual([null, 0]);

    await start(used);
    await Promise.all([machine(), machine(), fitting()]);
    await machine();
    expect(asked()).toBe(1);

    await studio.engine.close();
    // A card does not go with the process that saw it.
    expect((await machine()).device.kind).toBe("gpu");
    expect(asked()).toBe(1);
    await start(unused);
    expect((await machine()).card?.name).toBe("RTX 4070");
    expect(asked()).toBe(2);
  });

  test("is known while a job runs", async () => {
    plumbing.script({ stepMs: 60_000, gpu: used });
    const { id } = await studio.enqueue({ prompt: "A red ball bounces on a blue background" });
    studio.run();
    await until(() => plumbing.notes().some((note) => note.startsWith("generate")), "the job to run");
    expect(await machine()).toMatchObject({ busy: true, device: { kind: "gpu" } });
    studio.cancel(id);
  });

  test("is announced when it becomes known, and the presets with it", async () => {
    const heard: StudioEvent[] = [];
    const end = studio.listen((event) => heard.push(event));
    await start(used);
    await until(() => heard.some(({ kind }) => kind === "presets:changed"), "the presets to be announced");
    const machines = heard.flatMap((event) => (event.kind === "machine:changed" ? [event.machine] : []));
    expect(machines.at(-1)?.device.kind).toBe("gpu");
    end();
  });
});
