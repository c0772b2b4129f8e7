// Jobs that fill the memory in the middle: they go on from their last finished step with a lowered plan, and fail with a
// change that fits where there is none. Real history and engine process; the engine in it is the plumbing addon.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Job, JobEvent } from "../../../contract/job.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing, type PlumbingScript } from "../engine/plumbing.ts";

let plumbing: Plumbing;
let studio: Studio;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.clearNotes();
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
});
afterEach(() => studio.close());

/** Three plans on a card; `more` says when and how full it is. */
function script(more: Partial<PlumbingScript>): void {
  const plans = [
    { peakBytes: 900 },
    { peakBytes: 600, resident: false },
    { peakBytes: 300, resident: false, streamed: true },
  ];
  plumbing.script({ stepMs: 20, card: "A card", plans, ...more });
}

async function generate(settings = {}, onEvent: (event: JobEvent) => void = () => {}): Promise<Job> {
  const { id } = await studio.enqueue({ prompt: "A red ball", settings: { seed: 1, ...settings } });
  return studio.wait(id, { onEvent });
}

const started = () => plumbing.notes().filter((note) => note.startsWith("generate"));
const states = (id: number) =>
  studio.get(id)!.changes.map(({ state, note }) => (note === "" ? state : `${state}: ${note}`));

describe("a job that fills the card", () => {
  test("goes on from its last finished step with blocks that stream, and says so once", async () => {
    script({ full: { step: 3, freeBytes: 400 } });
    const events: JobEvent[] = [];
    const job = await generate({}, (event) => events.push(event));
    expect(job).toMatchObject({ state: "done", attempts: 2, resumedFromStep: 2, deviceName: "A card", error: null });
    expect(started()).toEqual(["generate from 0", "generate from 2"]);
    expect(job.lowered).toMatchObject({
      changes: ["partByPart", "streamWeights"],
      neededBytes: 900,
      freeBytes: 400,
      deviceName: "A card",
    });
    const sentence =
      "The card was full (needs 900 bytes, 400 bytes free); " +
      "going on with one part of the model at a time and blocks streamed from memory.";
    const detail = studio.get(job.id)!;
    expect(detail.log.filter(({ level }) => level === "warning").map(({ line }) => line)).toEqual([sentence]);
    expect(events.filter((event) => event.kind === "log" && event.line === sentence)).toHaveLength(1);
    expect(states(job.id)).toEqual([
      "queued: accepted",
      "running",
      "queued: memory was full; goes on with a lowered plan",
      "running",
      "done",
    ]);
    // Both attempts are on record, each with the plan it kept to.
    const sampled = detail.stages.filter(({ stage }) => stage === "sample");
    expect(sampled.map(({ attempt, plannedBytes }) => [attempt, plannedBytes])).toEqual([
      [1, 900],
      [2, 300],
    ]);
    // The memory of the first attempt was given back before the second was planned.
    expect(plumbing.notes()).toContain("release");
    // The limit was the program's, not the job's.
    expect(job.settings.memoryBudget).toBe(0);
  });

  test("is lowered plan by plan where nobody knows what is free", async () => {
    script({ failInStep: 2, failure: { code: "memory.exhausted", message: "Too little memory." } });
    const job = await generate();
    expect(job).toMatchObject({ state: "failed", attempts: 3, error: { code: "memory.exhausted" } });
    expect(started()).toEqual(["generate from 0", "generate from 1", "generate from 1"]);
    const warnings = studio.get(job.id)!.log.filter(({ level }) => level === "warning");
    expect(warnings.map(({ line }) => line.replace(/.*going on with /, ""))).toEqual([
      "one part of the model at a time.",
      "blocks streamed from memory.",
    ]);
  });

  test("fails with the smallest change that fits where no plan is left, and goes on whole when asked again", async () => {
    script({ full: { step: 3, freeBytes: 200 } });
    const failed = await generate();
    expect(failed).toMatchObject({
      state: "failed",
      attempts: 1,
      error: {
        code: "memory.exhausted",
        sentence: "This job needs 900 and may use 200.",
        advice: "Choose 5 frames or fewer: that fits.",
      },
      fix: { id: "fewerFrames", values: { numFrames: 5 }, peakBytes: 200 },
    });
    script({ full: { step: 3, freeBytes: 400 } });
    expect((await again(failed.id)).lowered).not.toBeNull();
    // Other programs were closed: the job has its whole plan again, and its error is forgotten.
    script({ failInStep: 4, failure: { code: "output.not_finite", message: "Not a number." } });
    const other = await generate({ seed: 2 });
    script({});
    const done = await again(other.id);
    expect(done).toMatchObject({ state: "done", lowered: null, error: null, fix: null });
  });

  test("lets a budget be lifted without losing its steps", async () => {
    script({ full: { step: 3, freeBytes: 100 } });
    const failed = await generate({ memoryBudget: 800 / 2 ** 30 });
    expect(failed.state).toBe("failed");
    script({});
    plumbing.clearNotes();
    studio.again(failed.id, { withoutBudget: true });
    const done = await studio.wait(failed.id);
    expect(done).toMatchObject({ state: "done", settings: { memoryBudget: 0 }, resumedFromStep: 2 });
    expect(started()).toEqual(["generate from 2"]);
  });

  test("encodes its prompt anew where the text encoder is lowered to int8, and says in its settings that it did", async () => {
    const plans = [
      { peakBytes: 900, textEncoderFormat: "16-bit" as const },
      { peakBytes: 300, textEncoderFormat: "int8" as const },
    ];
    script({ plans, full: { step: 3, freeBytes: 400 } });
    const job = await generate({ textEncoderFormat: "16-bit" });
    expect(job).toMatchObject({ state: "done", attempts: 2, lowered: { changes: ["int8TextEncoder"] } });
    expect(job.settings.textEncoderFormat).toBe("int8");
    const folder = join(plumbing.library, "cache", "embeddings");
    const encoded = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    expect(encoded.sort()).toEqual(["encoded in 16-bit", "encoded in int8"]);
  });

  test("keeps its lowered plan when the program ends and comes back", async () => {
    script({ stepMs: 200, full: { step: 2, freeBytes: 400 } });
    const { id } = await studio.enqueue({ prompt: "A red ball", settings: { seed: 1 } });
    let lowered = false;
    let closing: Promise<void> | undefined;
    await studio
      .wait(id, {
        onEvent: (event) => {
          if (event.kind === "state" && event.state === "queued") lowered = true;
          if (lowered && event.kind === "progress" && event.progress.stage === "sample") closing ??= studio.close();
        },
      })
      .catch(() => {});
    await closing;
    studio = await openStudio({ libraryFolder: plumbing.library });
    expect(studio.get(id)).toMatchObject({ state: "queued", lowered: { changes: ["partByPart", "streamWeights"] } });
    plumbing.clearNotes();
    const done = await studio.wait(id);
    expect(done.state).toBe("done");
    expect(started()).toHaveLength(1);
    expect(existsSync(done.video!.path)).toBe(true);
  });
});

async function again(id: number): Promise<Job> {
  studio.again(id);
  return studio.wait(id);
}
