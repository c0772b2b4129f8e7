// The queue as every door changes it: adding drafts, order, editing, pausing, keeping, running without anybody waiting, and
// the events that tell of all this. The engine is the plumbing addon.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode as decodePng } from "fast-png";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StudioEvent } from "../../../contract/channels/events.ts";
import type { Job } from "../../../contract/job.ts";
import { openDatabase } from "../../../app/history/database.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { LocalDraft, Studio } from "../../../app/studio/studio.ts";
import { Plumbing, until } from "../engine/plumbing.ts";

let plumbing: Plumbing;
let studio: Studio;
let events: StudioEvent[];
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 20 });
  plumbing.clearNotes();
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await open();
});
afterEach(() => studio.close());

async function open(): Promise<Studio> {
  const opened = await openStudio({ libraryFolder: plumbing.library });
  events = [];
  return opened;
}
const hear = (from: Studio = studio) => from.listen((event) => events.push(event));
const draft = (prompt: string, values: LocalDraft["values"] = {}): LocalDraft => ({ values: { prompt, ...values } });
const add = async (...prompts: string[]) => ids(await studio.queue.add(prompts.map((prompt) => draft(prompt))));
const ids = (jobs: readonly Job[]) => jobs.map(({ id }) => id);
const waiting = (from: Studio = studio) => ids(from.queue.state().waiting);
const stateOf = (id: number) => studio.get(id)?.state;
const kinds = () => events.map(({ kind }) => kind);
const states = (jobId: number) =>
  events
    .filter((event) => event.kind === "job:changed" && event.jobId === jobId)
    .map((event) => "state" in event && event.state);

describe("adding", () => {
  test("accepts drafts in order, their samples one by one, as next before all others", async () => {
    const first = await studio.queue.add([draft("a red ball", { seed: 5, numSamples: 3 }), draft("a blue ball")]);
    expect(first.map(({ seed }) => seed).slice(0, 3)).toEqual([5, 6, 7]);
    expect(first[3]).toMatchObject({ prompt: "a blue ball", model: "demo", mode: "t2v" });
    const next = await studio.queue.add([draft("a green ball")], "next");
    expect(waiting()).toEqual([...ids(next), ...ids(first)]);
    expect(studio.queue.state()).toMatchObject({ running: null, paused: false, elsewhere: false });
    // 0.4 s were planned for each.
    expect(studio.queue.state().etaSeconds).toBeCloseTo(2);
  });

  test("takes all drafts or none", async () => {
    const bad = studio.queue.add([draft("a red ball"), draft("")]);
    await expect(bad).rejects.toMatchObject({ code: "settings.invalid" });
    const unsteady = studio.queue.add([draft("a red ball"), draft("a ball", { numFrames: 18 })]);
    await expect(unsteady).rejects.toMatchObject({ code: "settings.invalid" });
    expect(studio.list()).toEqual([]);
  });

  test("refuses a picture for a model of text, in one sentence", async () => {
    const refused = studio.queue.add([{ ...draft("a ball", { model: "demo" }), imagePath: "/pictures/a.png" }]);
    await expect(refused).rejects.toMatchObject({
      code: "model.unsupported",
      message: expect.stringContaining("makes videos from text only") as string,
    });
  });

  test.each(["config", "preset"])("makes the size the form shows, whatever sides the %s holds", async (where) => {
    const sides = { width: 64, height: 96 };
    const presetId = where === "preset" ? await studio.presets.save("Small", sides) : null;
    mkdirSync(studio.libraryFolder, { recursive: true });
    if (where === "config") writeFileSync(join(studio.libraryFolder, "config.yaml"), "width: 64\nheight: 96\n");
    for (const values of [{ resolution: "128x128" }, { resolution: "128x128", height: 64 }, { width: 128 }, {}]) {
      const wanted = { ...draft("a red ball", values), presetId };
      const { frameSize } = await studio.form.check(wanted);
      const [job] = await studio.queue.add([wanted]);
      expect({ width: job!.settings.width, height: job!.settings.height }).toEqual(frameSize);
      const sizeFlags = (command: string) => command.match(/--(width|height|resolution) \S+/g);
      const repeated = sizeFlags(await studio.form.command({ jobId: job!.id }));
      expect(sizeFlags(await studio.form.command({ draft: wanted }))).toEqual(repeated);
    }
  });

  test("takes settings only, no files", async () => {
    const values = { dit_path: "/etc/passwd" } as unknown as LocalDraft["values"];
    await expect(studio.queue.add([draft("a ball", values)])).rejects.toMatchObject({ code: "settings.unknown" });
  });
});

describe("a queue that runs by itself", () => {
  test("makes what is there and what comes, without anybody waiting; what fails stops nothing", async () => {
    hear();
    const [first = 0] = await add("a red ball");
    studio.run();
    studio.run();
    await until(() => stateOf(first) === "done", "the first job");
    plumbing.script({ stepMs: 20, failInStep: 1, failure: { code: "output.not_finite", message: "Block 3." } });
    const [second = 0] = await add("a blue ball");
    await until(() => stateOf(second) === "failed", "the second job to fail");
    plumbing.script({ stepMs: 20 });
    const [third = 0] = await add("a green ball");
    await until(() => states(third).includes("done"), "the third job");
    expect(states(first)).toEqual(["queued", "running", "done"]);
    expect(states(second)).toEqual(["queued", "running", "failed"]);
    expect(studio.again(second).state).toBe("queued");
    await until(() => stateOf(second) === "done", "the second job to be made after all");
  });

  test("says everything once, numbered without gaps, each job's end last", async () => {
    const heard: StudioEvent[] = [];
    hear();
    const end = studio.listen((event) => heard.push(event));
    studio.run();
    const [id = 0] = await add("a red ball");
    await until(() => states(id).includes("done"), "the job");
    end();
    studio.announce({ kind: "presets:changed" });
    expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({ kind: "presets:changed" });
    expect(events.slice(0, heard.length)).toEqual(heard);
    expect(states(id)).toEqual(["queued", "running", "done"]);
    expect(kinds()).toEqual(expect.arrayContaining(["queue:changed", "history:changed", "job:progressed"]));
    const done = events.findIndex((event) => event.kind === "job:changed" && event.state === "done");
    const after = events.slice(done + 1).filter((event) => event.kind === "job:progressed");
    expect(after).toEqual([]);
    const lines = events.filter((event) => event.kind === "job:logged").map((event) => "line" in event && event.line);
    // Debug lines are in the job's detail only.
    expect(lines).toEqual(["int8 on 80 linear layers"]);
  });

  test("lets through about ten progress events a second, however fast the engine is", async () => {
    plumbing.script({ stepMs: 4 });
    hear();
    studio.run();
    const began = Date.now();
    const [id = 0] = await studio.queue.add([draft("a red ball", { numSteps: 4 })]).then(ids);
    await until(() => stateOf(id) === "done", "the job");
    const seconds = (Date.now() - began) / 1000;
    expect(kinds().filter((kind) => kind === "job:progressed").length).toBeLessThanOrEqual(10 * seconds + 3);
  });

  test("keeps the latest previews as pictures while the job runs, and until windows had time to ask for them", async () => {
    plumbing.script({ stepMs: 300 });
    hear();
    studio.run();
    const [id = 0] = await add("a red ball");
    await until(() => events.filter(({ kind }) => kind === "job:previewed").length >= 2, "two previews");
    expect(events.find(({ kind }) => kind === "job:previewed")).toMatchObject({
      jobId: id,
      step: 1,
      width: 16,
      approximate: true,
    });
    // A window that was opened since finds it in the queue.
    expect(studio.queue.state().preview).toMatchObject({ step: expect.any(Number) as number, width: 16, height: 16 });
    expect(decodePng(studio.preview(id, 1)!)).toMatchObject({ width: 16, height: 16 });
    expect(studio.preview(id)).not.toBeNull();
    await until(() => stateOf(id) === "done", "the job");
    expect(studio.queue.state().preview).toBeNull();
    // A window that has just heard of it finds it still.
    expect(studio.preview(id, 3)).not.toBeNull();
    expect(studio.preview(99)).toBeNull();
  });
});

describe("a history that cannot be written for a moment", () => {
  test("costs no job: what ran goes on from where it was, and its one video stays", async () => {
    const [id = 0] = await add("a red ball");
    const other = openDatabase(join(plumbing.library, "rushes.db"));
    other.exec(`CREATE TRIGGER locked BEFORE UPDATE OF state ON jobs WHEN new.state IN ('done', 'failed')
      BEGIN SELECT raise(FAIL, 'not now'); END`);
    studio.run();
    await until(() => studio.log.end(20).includes("the queue stopped"), "the trouble");
    other.exec("DROP TRIGGER locked");
    other.close();
    await until(() => stateOf(id) === "done", "the job");
    expect(readdirSync(join(plumbing.library, "videos")).filter((name) => name.endsWith(".mp4"))).toHaveLength(1);
  });
});

describe("a history that cannot be read for a moment", () => {
  test("refuses nothing that was committed, and tells of it later", async () => {
    hear();
    const other = openDatabase(join(plumbing.library, "rushes.db"));
    other.exec("ALTER TABLE job_log_lines RENAME TO elsewhere");
    studio.queue.pause();
    expect(studio.queue.state().paused).toBe(true);
    other.exec("ALTER TABLE elsewhere RENAME TO job_log_lines");
    other.close();
    await until(() => kinds().includes("queue:changed"), "the news");
  });
});

describe("order and edits", () => {
  test("are committed before the call returns, and heard of", async () => {
    const [one = 0, two = 0, three = 0] = await add("one ball", "two balls", "three balls");
    hear();
    studio.queue.move(three, one);
    expect(waiting()).toEqual([three, one, two]);
    expect(kinds()).toEqual(["queue:changed"]);
    studio.queue.runNext(two);
    expect(waiting()).toEqual([two, three, one]);
    const edited = await studio.queue.edit(one, draft("one large ball", { seed: 9, numSamples: 4 }));
    expect(edited).toMatchObject({ id: one, prompt: "one large ball", seed: 9, state: "queued" });
    expect(waiting()).toEqual([two, three, one]);
    studio.queue.remove([two, one]);
    expect(waiting()).toEqual([three]);
    expect([stateOf(two), stateOf(one)]).toEqual(["cancelled", "cancelled"]);
    const other = await openStudio({ libraryFolder: plumbing.library });
    expect(waiting(other)).toEqual([three]);
    await other.close();
  });

  test("of a job that has begun are refused", async () => {
    plumbing.script({ stepMs: 2000 });
    studio.run();
    const [one = 0, two = 0] = await add("one ball", "two balls");
    await until(() => stateOf(one) === "running", "the first job to run");
    const started = expect.objectContaining({ code: "job.started" }) as Error;
    expect(() => studio.queue.runNext(one)).toThrow(started);
    expect(() => studio.queue.move(one, two)).toThrow(started);
    expect(() => studio.queue.remove([two, one])).toThrow(started);
    await expect(studio.queue.edit(one, draft("another ball"))).rejects.toMatchObject({ code: "job.started" });
    expect(waiting()).toEqual([two]);
    expect(studio.get(one)?.prompt).toBe("one ball");
    studio.cancel(one);
  });

  test("a bad edit changes nothing", async () => {
    const [one = 0] = await add("one ball");
    await expect(studio.queue.edit(one, draft("a ball", { width: 100 }))).rejects.toMatchObject({
      code: "settings.invalid",
    });
    expect(studio.get(one)?.prompt).toBe("one ball");
  });
});

describe("pausing", () => {
  test("puts the running job in front after its step, frees the model, and survives the program's end", async () => {
    plumbing.script({ stepMs: 1500 });
    hear();
    studio.run();
    const [one = 0, two = 0] = await add("one ball", "two balls");
    await until(() => (studio.get(one)?.progress?.step ?? 0) >= 2, "the second step");
    studio.queue.runNext(two);
    studio.queue.pause();
    expect(studio.queue.state().paused).toBe(true);
    await until(() => stateOf(one) === "queued", "the job to go back");
    expect(studio.get(one)).toMatchObject({ steps: [{ step: 1 }, { step: 2 }] });
    expect(studio.get(one)?.changes.at(-1)?.note).toBe("the queue was paused");
    expect(waiting()).toEqual([one, two]);
    expect(studio.preview(one, 2)).not.toBeNull();
    await until(() => plumbing.notes().includes("close"), "the model to be given back");
    await until(async () => (await studio.machineState.state()).warm === null, "the memory to be free");
    await studio.close();

    studio = await open();
    studio.run();
    expect(studio.queue.state().paused).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([stateOf(one), stateOf(two)]).toEqual(["queued", "queued"]);
    plumbing.script({ stepMs: 20 });
    studio.queue.resume();
    await until(() => stateOf(two) === "done", "both jobs");
    expect(studio.get(one)).toMatchObject({ state: "done", resumedFromStep: 2, attempts: 2 });
  });

  test("and resuming before the step is over lets the job go on", async () => {
    plumbing.script({ stepMs: 600 });
    studio.run();
    const [one = 0] = await add("one ball");
    await until(() => (studio.get(one)?.progress?.step ?? 0) >= 1, "the first step");
    studio.queue.pause();
    studio.queue.resume();
    plumbing.script({ stepMs: 20 });
    await until(() => stateOf(one) === "done", "the job");
    expect(studio.get(one)?.attempts).toBe(1);
  });

  test("from another program reaches the one that runs the queue", async () => {
    plumbing.script({ stepMs: 1500 });
    studio.run();
    const [one = 0] = await add("one ball");
    await until(() => stateOf(one) === "running", "the job to run");
    const other = await openStudio({ libraryFolder: plumbing.library });
    other.queue.pause();
    await until(() => stateOf(one) === "queued", "the job to go back");
    plumbing.script({ stepMs: 20 });
    other.queue.resume();
    await until(() => stateOf(one) === "done", "the job");
    await other.close();
  });
});

describe("stop and keep", () => {
  test("decodes the latest estimate; the history says after which step", async () => {
    plumbing.script({ stepMs: 1500 });
    studio.run();
    const [one = 0] = await add("one ball");
    await until(() => (studio.get(one)?.progress?.step ?? 0) >= 3, "the third step");
    studio.queue.keep(one);
    await until(() => stateOf(one) === "done", "the job");
    expect(studio.get(one)).toMatchObject({ state: "done", keptStep: 2, settings: { numSteps: 4 } });
    expect(studio.get(one)?.warnings.join()).toContain("stopped after step 2 of 4");
    expect(existsSync(studio.get(one)!.video!.path)).toBe(true);
    expect(() => studio.queue.keep(one)).toThrow(expect.objectContaining({ code: "job.not_running" }) as Error);
  });
});

describe("cancelling", () => {
  test("leaves the stages that were finished, with their memory", async () => {
    plumbing.script({ stepMs: 2000 });
    studio.run();
    const [one = 0] = await add("one ball");
    await until(() => studio.get(one)?.progress?.stage === "sample", "sampling");
    studio.cancel(one);
    await until(() => stateOf(one) === "cancelled", "the end");
    const { stages } = studio.get(one)!;
    expect(stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample"]);
    expect(stages.slice(0, 2).every(({ peakBytes, plannedBytes }) => peakBytes! > 0 && plannedBytes! > 0)).toBe(true);
  });
});

describe("two studios on one library", () => {
  test("the second hears what the first does, and takes over when it is gone", async () => {
    const other = await openStudio({ libraryFolder: plumbing.library });
    try {
      plumbing.script({ stepMs: 3000 });
      hear(other);
      const [one = 0, two = 0] = ids(await studio.queue.add([draft("one ball", { numSteps: 1 }), draft("two balls")]));
      studio.run();
      await until(() => stateOf(one) === "running", "the first job to run");
      other.run();
      await until(() => other.queue.state().elsewhere && stateOf(one) === "running", "the first to run the queue");
      studio.queue.runNext(two);
      await until(() => states(one).includes("done"), "the other to hear of the end");
      expect(states(one)).toEqual(["queued", "running", "done"]);
      expect(kinds()).toContain("job:progressed");
      expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
      await until(() => stateOf(two) === "running", "the second job to run");
      plumbing.script({ stepMs: 20 });
      await studio.close();
      await until(() => other.get(two)?.state === "done", "the other one to go on");
      expect(other.queue.state().elsewhere).toBe(false);
    } finally {
      await other.close();
      studio = await open();
    }
  });

  test("a job accepted, moved and cancelled there is heard of here", async () => {
    const other = await openStudio({ libraryFolder: plumbing.library });
    try {
      hear();
      const jobs = ids(await other.queue.add([draft("one ball"), draft("two balls")]));
      await until(() => kinds().includes("queue:changed"), "the new jobs");
      events.length = 0;
      other.queue.runNext(jobs[1]!);
      await until(() => kinds().includes("queue:changed"), "the new order");
      other.cancel(jobs[0]!);
      await until(() => states(jobs[0]!).includes("cancelled"), "the end");
      expect(waiting()).toEqual([jobs[1]]);
    } finally {
      await other.close();
    }
  });
});

describe("an engine that dies", () => {
  test("is told of: the job goes back, continues once, and ends well", async () => {
    plumbing.script({ stepMs: 30, crashInStep: 3 });
    hear();
    studio.run();
    const [one = 0] = await add("one ball");
    await until(() => states(one).includes("done"), "the job");
    expect(states(one)).toEqual(["queued", "running", "queued", "running", "done"]);
    expect(studio.log.end(50)).toMatch(/job 1: queued \(the engine's process ended; continues once more\)/);
  });
});

describe("the machine", () => {
  test("is known without starting the engine; the warm model is named and can be unloaded", async () => {
    expect(await studio.machineState.state()).toMatchObject({ engineBytes: 0, warm: null, busy: false });
    expect(studio.engine.processId).toBeNull();
    hear();
    studio.run();
    const [one = 0] = await add("one ball");
    await until(() => stateOf(one) === "done", "the job");
    const before = await studio.machineState.state();
    expect(before).toMatchObject({ warm: { model: "demo" }, busy: false });
    expect(await studio.machineState.unload()).toMatchObject({ warm: null });
    await until(() => kinds().includes("machine:changed"), "the machine's change");
  });

  test("has facts for a report, and a log that can be read", async () => {
    const facts = await studio.machineState.diagnostics();
    expect(facts.map(({ name }) => name)).toEqual(expect.arrayContaining(["Node", "Engine", "Library"]));
    studio.log.write("first line\nsecond line");
    expect(studio.log.end(2)).toMatch(/first line\n {4}second line$/);
    expect(existsSync(join(plumbing.library, "logs", "rushes.log"))).toBe(true);
  });
});
