// The engine's process as its client sees it: calls, events, errors, death, cancelling, ending with the parent.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { constants, getPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GenerateRequest, ModelFiles } from "../../../app/engine/addon.ts";
import { EngineClient } from "../../../app/engine/client.ts";
import { forkEngine } from "../../../app/engine/forked-process.ts";
import type { CallEvent } from "../../../app/engine/messages.ts";
import { isAlive, Plumbing, until } from "./plumbing.ts";
import { spawnWithParentPort } from "./port-process.ts";

const clientModule = fileURLToPath(new URL("../../../app/engine/client.ts", import.meta.url));
const files: ModelFiles = { dit: "/m/dit-quant.pth", vae: "/m/vae.pth", textEncoder: "/m/umt5.pth", textLength: 64 };
const request: GenerateRequest = {
  settings: { numSteps: 4, numFrames: 17, width: 128, height: 128 },
  ids: Int32Array.of(1),
};

let plumbing: Plumbing;
let engine: EngineClient;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(() => {
  plumbing.script({ stepMs: 20 });
  plumbing.clearNotes();
  engine = new EngineClient();
});
afterEach(() => engine.close());

describe("the engine's process", () => {
  test("starts with the first call and passes events in order", async () => {
    expect(engine.processId).toBeNull();
    const events: CallEvent[] = [];
    const report = await engine.call("generate", [files, request], { onEvent: (event) => events.push(event) });
    expect(engine.processId).not.toBe(process.pid);
    expect(report).toMatchObject({ frames: 17, warnings: ["The engine warns."] });
    const packets = events.filter((event) => event.kind === "packet");
    expect(packets.map(({ frame }) => frame)).toEqual(Array.from({ length: 17 }, (_, index) => index));
    expect(packets[0]?.data).toBeInstanceOf(Uint8Array);
    const progress = events.filter((event) => event.kind === "progress");
    expect([...new Set(progress.map(({ stage }) => stage))]).toEqual(["text", "load", "sample", "decode"]);
  });

  test("keeps the model of the last files warm, and lets it go for other files", async () => {
    await engine.call("generate", [files, request]);
    await engine.call("generate", [{ ...files }, request]);
    await engine.call("plan", [{ ...files, dit: "/m/planned.pth" }, {}, 3]);
    await engine.call("generate", [{ ...files, dit: "/m/other.pth" }, request]);
    await engine.call("unload", []);
    expect(plumbing.notes()).toEqual([
      "open dit-quant.pth",
      "generate from 0",
      "generate from 0",
      "close",
      "open other.pth",
      "generate from 0",
      "close",
      "release",
    ]);
  });

  test("answers status and plans of any model while a generation runs, and unloads only when it is over", async () => {
    expect(await engine.call("status", [])).toMatchObject({ warm: null, busy: false });
    plumbing.script({ stepMs: 20_000 });
    const controller = new AbortController();
    const running = engine.call("generate", [files, request], { signal: controller.signal });
    await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    expect(await engine.call("status", [])).toEqual({
      memory: { totalBytes: 1, freeBytes: 1 },
      residentBytes: 1,
      warm: { files, residentBytes: 900 },
      busy: true,
    });
    const other = { ...files, dit: "/m/other.pth" };
    for (const planned of [files, other])
      expect(await engine.call("plan", [planned, {}, 3])).toMatchObject({ fits: true, fixes: [] });
    await expect(engine.call("unload", [])).rejects.toMatchObject({ code: "engine.busy" });
    await expect(engine.call("generate", [other, request])).rejects.toMatchObject({ code: "engine.busy" });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: "job.cancelled" });
    expect(await engine.call("status", [])).toMatchObject({ warm: { residentBytes: 500 }, busy: false });
    await engine.call("unload", []);
    expect(await engine.call("status", [])).toMatchObject({ warm: null });
  });

  test("plans what does not fit, and refuses to generate it", async () => {
    plumbing.script({ stepMs: 20, budgetBytes: 10 });
    expect(await engine.call("plan", [files, {}, 3])).toMatchObject({ fits: false, peakBytes: 1000, freeBytes: 10 });
    await expect(engine.call("generate", [files, request])).rejects.toMatchObject({ code: "memory.exhausted" });
  });

  test("may be started otherwise: as a utility process with its parent port", async () => {
    const other = new EngineClient(undefined, { spawn: spawnWithParentPort });
    const frames: number[] = [];
    const report = await other.call("generate", [files, request], {
      onEvent: (event) => event.kind === "packet" && frames.push(event.frame),
    });
    expect(report.frames).toBe(17);
    expect(frames).toHaveLength(17);
    expect(other.processId).not.toBeNull();
    await other.close();
    expect(other.processId).toBeNull();
    expect(await other.call("machine", [])).toMatchObject({ cpu: { cores: 2 } });
    await other.close();
  });

  test("stands back behind the machine's other work for doors with a window, and for no other", async () => {
    await engine.call("machine", []);
    expect(getPriority(engine.processId!)).toBe(getPriority());
    for (const spawn of [forkEngine, spawnWithParentPort]) {
      const other = new EngineClient(undefined, { spawn, background: true });
      await other.call("machine", []);
      expect(getPriority(other.processId!)).toBe(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
      await other.close();
    }
  });

  test("answers light calls, and streams lines", async () => {
    const lines: string[] = [];
    expect(await engine.call("machine", [])).toMatchObject({ cpu: { cores: 2 } });
    expect(await engine.call("echo", [{ threads: 3 }])).toMatchObject({ threads: 3 });
    await engine.call("bench", [{}], { onEvent: (event) => event.kind === "line" && lines.push(event.line) });
    expect(lines).toEqual(["one", "two"]);
  });

  test("an error keeps its code, sentence, advice and detail, and the process", async () => {
    await engine.call("machine", []);
    const { processId } = engine;
    const failure = { code: "memory.exhausted", message: "Too little.", advice: "Less.", detail: "d", neededBytes: 5 };
    plumbing.script({ stepMs: 20, failInStep: 2, failure });
    await expect(engine.call("generate", [files, request])).rejects.toMatchObject(failure);
    await expect(engine.call("inspect", ["/m/corrupt.pth"])).rejects.toMatchObject({ code: "checkpoint.corrupt" });
    expect(engine.processId).toBe(processId);
  });

  test("that lost its card is ended, since no process gets its card back; the next call starts another", async () => {
    plumbing.script({ stepMs: 20, failInStep: 2, failure: { code: "gpu.lost", message: "Lost." } });
    await engine.call("machine", []);
    const { processId } = engine;
    const failing = engine.call("generate", [files, request]);
    await expect(failing).rejects.toMatchObject({ code: "gpu.lost" });
    plumbing.script({ stepMs: 20 });
    // Asked while the process ends.
    expect(await engine.call("status", [])).toMatchObject({ warm: null });
    expect(engine.processId).not.toBe(processId);
    expect(await engine.call("generate", [files, request])).toMatchObject({ frames: 17 });
  });

  test("that dies rejects its calls with engine.crashed and what it said; the next call starts another", async () => {
    plumbing.script({ stepMs: 20, crashInStep: 2 });
    await expect(engine.call("generate", [files, request])).rejects.toMatchObject({
      code: "engine.crashed",
      detail: "The engine's process ended: SIGKILL.\nthe plumbing gives way",
    });
    expect(engine.processId).toBeNull();
    expect(await engine.call("generate", [files, request])).toMatchObject({ frames: 17 });
  });

  test.each(["SIGINT", "SIGTERM"] as const)("works on through a %s to the whole group", async (signal) => {
    plumbing.script({ stepMs: 300 });
    const call = engine.call("generate", [files, request]);
    await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    const { processId } = engine;
    process.kill(processId!, signal);
    expect(await call).toMatchObject({ frames: 17 });
    expect(engine.processId).toBe(processId);
  });

  test("a missing addon, or a file that is none, is engine.missing", async () => {
    const missing = new EngineClient(join(plumbing.folder, "none.node"));
    await expect(missing.call("machine", [])).rejects.toMatchObject({ code: "engine.missing" });
    await missing.close();
    writeFileSync(join(plumbing.folder, "text.node"), "not a program");
    const broken = new EngineClient(join(plumbing.folder, "text.node"));
    await expect(broken.call("machine", [])).rejects.toMatchObject({ code: "engine.missing" });
    await broken.close();
  });
});

describe("cancelling", () => {
  const cancelAfter = (milliseconds: number) => AbortSignal.timeout(milliseconds);

  test("ends the call and keeps the process and its model", async () => {
    plumbing.script({ stepMs: 2000 });
    // However loaded the machine is: the answer to the order is awaited here, not the end of the patience.
    const patient = new EngineClient(undefined, { cancelPatience: 30_000 });
    const controller = new AbortController();
    const call = patient.call("generate", [files, request], { signal: controller.signal });
    const cancelled = expect(call).rejects.toMatchObject({ code: "job.cancelled" });
    await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    const { processId } = patient;
    controller.abort();
    await cancelled;
    expect(patient.processId).toBe(processId);
    plumbing.script({ stepMs: 20 });
    await patient.call("generate", [files, request]);
    await patient.close();
    expect(plumbing.notes()).toEqual(["open dit-quant.pth", "generate from 0", "generate from 0"]);
  });

  test("ends the process within a second when the engine does not listen", async () => {
    plumbing.script({ stepMs: 30_000, ignoreCancel: true });
    await engine.call("machine", []);
    const processId = engine.processId ?? 0;
    const began = Date.now();
    await expect(engine.call("generate", [files, request], { signal: cancelAfter(100) })).rejects.toMatchObject({
      code: "job.cancelled",
    });
    // 0.9 s, and what a loaded machine takes to end a process; far from the two minutes of the work.
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(isAlive(processId)).toBe(false);
  });

  test("spares what else was asked of a process that had to be ended, and what comes while it ends", async () => {
    plumbing.script({ stepMs: 30_000, ignoreCancel: true });
    const impatient = new EngineClient(undefined, { cancelPatience: 0 });
    const controller = new AbortController();
    const call = impatient.call("generate", [files, request], { signal: controller.signal });
    const cancelled = expect(call).rejects.toMatchObject({ code: "job.cancelled" });
    await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    const { processId } = impatient;
    // The process that is ended must not answer before.
    plumbing.script({ stepMs: 20, ignoreCancel: true });
    controller.abort();
    // Asked before the process is ended, at the same time, and afterwards.
    const asked = [impatient.call("plan", [files, {}, 3])];
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (let time = 0; time < 3; time++) asked.push(impatient.call("plan", [files, {}, 3]));
    const next = impatient.call("generate", [files, request]);
    for (const plan of await Promise.all(asked)) expect(plan).toMatchObject({ fits: true });
    await cancelled;
    expect(await next).toMatchObject({ frames: 17 });
    expect(impatient.processId).not.toBe(processId);
    await impatient.close();
  });

  test("a close while a process is ended for a cancelled call ends what waits for the next one", async () => {
    plumbing.script({ stepMs: 30_000, ignoreCancel: true });
    const impatient = new EngineClient(undefined, { cancelPatience: 0 });
    const controller = new AbortController();
    const call = impatient.call("generate", [files, request], { signal: controller.signal });
    const cancelled = expect(call).rejects.toMatchObject({ code: "job.cancelled" });
    await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    controller.abort();
    await new Promise((resolve) => setTimeout(resolve, 1));
    const waiting = expect(impatient.call("machine", [])).rejects.toMatchObject({ code: "engine.crashed" });
    await impatient.close();
    await Promise.all([cancelled, waiting]);
    expect(impatient.processId).toBeNull();
  });

  test("before the start asks nothing of the engine", async () => {
    const call = engine.call("generate", [files, request], { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ code: "job.cancelled" });
    expect(engine.processId).toBeNull();
  });
});

describe("keeping what a generation has", () => {
  const keepWhen = (step: number) => {
    const controller = new AbortController();
    const onEvent = (event: CallEvent) => {
      if (event.kind === "progress" && event.stage === "sample" && event.step === step) controller.abort();
    };
    return { keep: controller.signal, onEvent };
  };

  test("abandons the running step and reports the steps it had", async () => {
    plumbing.script({ stepMs: 1000 });
    const report = await engine.call("generate", [files, request], keepWhen(3));
    expect(report).toMatchObject({ keptStep: 2, frames: 17 });
    expect(report.warnings).toContain("Sampling was stopped after step 2 of 4.");
  });

  test("waits for the first step", async () => {
    plumbing.script({ stepMs: 1000 });
    expect(await engine.call("generate", [files, request], keepWhen(1))).toMatchObject({ keptStep: 1 });
    expect(await engine.call("generate", [files, request], { keep: AbortSignal.abort() })).toMatchObject({
      keptStep: 1,
    });
  });

  test("changes nothing once sampling is over, or for other calls", async () => {
    const single = { ...request, settings: { ...request.settings, numSteps: 1 } };
    expect(await engine.call("generate", [files, single], keepWhen(1))).toMatchObject({ keptStep: null });
    expect(await engine.call("machine", [], { keep: AbortSignal.abort() })).toMatchObject({ cpu: { cores: 2 } });
  });
});

describe("the engine ends with its parent", () => {
  const parentProgram = `
    import { EngineClient } from ${JSON.stringify(clientModule)};
    const engine = new EngineClient();
    await engine.call("machine", []);
    console.log(engine.processId);
    const last = process.argv.at(-1);
    if (last === "work") engine.call("generate", ${JSON.stringify([files, { ...request, ids: [1] }])}).catch(() => {});
    else if (last === "wait") setInterval(() => {}, 1000);
  `;

  async function parent(doing: string) {
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", parentProgram, doing], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [text] = (await once(child.stdout, "data")) as [Buffer];
    return { child, engineId: Number(text.toString()) };
  }

  test.each(["wait", "work"])("killed by force while it has to %s", async (doing) => {
    plumbing.script({ stepMs: 20_000 });
    const { child, engineId } = await parent(doing);
    expect(isAlive(engineId)).toBe(true);
    if (doing === "work") await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    child.kill("SIGKILL");
    await until(() => !isAlive(engineId), "the engine to end");
  });

  test("a close finishes although answers come in while it waits", async () => {
    const program = `
      import { EngineClient } from ${JSON.stringify(clientModule)};
      for (let round = 0; round < 5; round++) {
        const engine = new EngineClient();
        const calls = ["corrupt.pth", "a.pth", "b.pth", "c.pth"].map((name) => engine.call("inspect", ["/m/" + name]));
        await Promise.all(calls).catch(() => {});
        for (const call of calls) call.catch(() => {});
        await engine.close();
      }
      console.log("closed");
    `;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (text: Buffer) => (said += text.toString()));
    await once(child, "close");
    expect(said).toBe("closed\n");
  });

  test("an idle engine does not keep a finished program alive", async () => {
    const { child, engineId } = await parent("nothing");
    if (child.exitCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(0);
    await until(() => !isAlive(engineId), "the engine to end");
  });
});
