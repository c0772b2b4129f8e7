// Waiting for jobs: it costs the same however long it takes, and what ends it.
import { rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { deleteResults, purgeResults } from "../../../app/history/writes/results.ts";
import { QueueRunner } from "../../../app/jobs/queue-runner.ts";
import { Model } from "../../../app/library/model.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing, until } from "../engine/plumbing.ts";

let plumbing: Plumbing;
let studio: Studio;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await studio.close();
});

test("a run of the queue is listened to once by a caller that waits, however often it looks", async () => {
  plumbing.script({ stepMs: 300 });
  const handled = new Map<Promise<void>, number>();
  let looks = 0;
  // No spy: it listens to every promise itself.
  const { pump } = QueueRunner.prototype;
  QueueRunner.prototype.pump = function (wanted) {
    looks++;
    const run = pump.call(this, wanted);
    if (!handled.has(run)) {
      handled.set(run, 0);
      const then = run.then.bind(run);
      // catch() and finally() come here too.
      run.then = ((...given: Parameters<typeof then>) => {
        handled.set(run, handled.get(run)! + 1);
        return then(...given);
      }) as typeof run.then;
    }
    return run;
  };
  onTestFinished(() => void (QueueRunner.prototype.pump = pump));
  const { id } = await studio.enqueue({ prompt: "a red ball" });
  const [first, second] = await Promise.all([studio.wait(id), studio.wait(id)]);
  expect([first.state, second.state]).toEqual(["done", "done"]);
  expect(looks).toBeGreaterThan(10);
  expect([...handled.values()]).toEqual([2]);
});

test("trouble with the library ends the wait", async () => {
  const { id } = await studio.enqueue({ prompt: "a red ball" });
  vi.spyOn(QueueRunner.prototype, "pump").mockImplementation(() => Promise.reject(new Error("The disk is gone.")));
  await expect(studio.wait(id)).rejects.toThrow("The disk is gone.");
});

test("aborting a batch cancels the rest of it at once, though one of its results was deleted for ever", async () => {
  const model = new Model(studio, {}, await studio.model({}), []);
  const controller = new AbortController();
  const requests = ["a red ball", "a blue ball", "a green ball"].map((prompt) => ({ prompt }));
  const ids: number[] = [];
  const outcomes = await model.generateAll(requests, {
    signal: controller.signal,
    onAccepted: (jobs) => void ids.push(...jobs.map(({ id }) => id)),
    onOutcome: (_outcome, index) => {
      if (index > 0) return;
      const [first = 0, , last = 0] = ids;
      deleteResults(studio.database, [first]);
      purgeResults(studio.database, [first]);
      // What this throws in a listener is an uncaught error.
      controller.abort();
      expect(studio.get(last)?.state).toBe("cancelled");
    },
  });
  expect(outcomes.map(({ job }) => job.state)).toEqual(["done", "cancelled", "cancelled"]);
});

test("a queue that is kept running tells of the same trouble once, and tries again", async () => {
  const pump = vi.spyOn(QueueRunner.prototype, "pump").mockImplementation(() => Promise.reject(new Error("No disk.")));
  studio.run();
  await until(() => pump.mock.calls.length > 1, "another attempt");
  const said = studio.log.end(100).match(/the queue stopped/g);
  expect(said).toHaveLength(1);
});

describe("a caller that waits hears what comes before its job", () => {
  const heard = async (from: Studio, id: number) => {
    const sentences: string[] = [];
    const job = await from.wait(id, {
      onEvent: (event) => event.kind === "waiting" && event.jobId === id && sentences.push(event.sentence),
    });
    expect(job.state).toBe("done");
    return sentences;
  };

  test("once for each number of jobs", async () => {
    // Each takes longer than the time between two looks.
    plumbing.script({ stepMs: 150 });
    const jobs = await studio.enqueueAll(["a red ball", "a blue ball", "a green ball"].map((prompt) => ({ prompt })));
    expect(await heard(studio, jobs[2]!.id)).toEqual([
      "Waits for 2 earlier jobs of this library.",
      "Waits for 1 earlier job of this library.",
    ]);
    const { id } = await studio.enqueue({ prompt: "a red ball" });
    expect(await heard(studio, id)).toEqual([]);
  });

  test("and that another program runs them", async () => {
    plumbing.script({ stepMs: 500 });
    const other = await openStudio({ libraryFolder: plumbing.library });
    try {
      const [first, second] = await studio.enqueueAll([{ prompt: "a red ball" }, { prompt: "a blue ball" }]);
      other.run();
      await until(() => other.get(first!.id)?.state === "running", "the first job");
      expect(await heard(studio, second!.id)).toEqual([
        "Waits for 1 earlier job of this library; another program runs it.",
      ]);
    } finally {
      await other.close();
    }
  });

  test("and that the queue is paused", async () => {
    studio.queue.pause();
    const { id } = await studio.enqueue({ prompt: "a red ball" });
    const waited = heard(studio, id);
    setTimeout(() => studio.queue.resume(), 500);
    expect(await waited).toEqual([expect.stringMatching(/^The queue of this library is paused: /)]);
  });
});

test("who has waited leaves the jobs behind untouched", async () => {
  const [first, second] = await studio.enqueueAll([{ prompt: "a red ball" }, { prompt: "a blue ball" }]);
  await studio.wait(first!.id);
  await studio.close();
  studio = await openStudio({ libraryFolder: plumbing.library });
  const left = studio.get(second!.id)!;
  expect(left).toMatchObject({ state: "queued", attempts: 0 });
  expect(left.changes.map(({ note }) => note)).toEqual(["accepted"]);
});
