// The queue from the command line: beside another program that runs it, and alone. The engine is the plumbing addon.
import { rmSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing } from "../engine/plumbing.ts";
import { runRushes } from "./run-rushes.ts";

let plumbing: Plumbing;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(() => rmSync(plumbing.library, { recursive: true, force: true }));

async function withStudio<T>(work: (studio: Studio) => T | Promise<T>): Promise<T> {
  const studio = await openStudio({ libraryFolder: plumbing.library });
  try {
    return await work(studio);
  } finally {
    await studio.close();
  }
}

const ask = (...words: string[]) => runRushes(["queue", ...words], { library: plumbing.library });

test("an empty queue says so", async () => {
  expect(await ask()).toMatchObject({ code: 0, stdout: "No job runs or waits.\n", stderr: "" });
});

test("pausing and resuming reach whoever waits", async () => {
  expect((await ask("pause")).stdout).toContain("The queue is paused");
  const [job] = await withStudio((studio) => studio.enqueueAll([{ prompt: "a red ball" }]));
  const waits = withStudio((studio) => studio.wait(job!.id));
  const listed = await ask();
  expect(listed.stdout).toMatch(/queued .*a red ball\n/);
  expect(listed.stdout).toContain("The queue is paused; `rushes queue resume` lets it go on.\n");
  expect((await ask("resume")).stdout).not.toContain("paused");
  expect(await waits).toMatchObject({ id: job!.id, state: "done" });
});

test("jobs nobody runs are listed in order, as an object too, and cancelled all or none", async () => {
  const jobs = await withStudio((studio) => studio.enqueueAll([{ prompt: "a red ball" }, { prompt: "a blue ball" }]));
  const [first, second] = jobs.map(({ id }) => id);
  const { stdout } = await ask();
  expect(stdout.indexOf("a red ball")).toBeLessThan(stdout.indexOf("a blue ball"));
  expect(stdout).toContain("No program runs these jobs");
  const refused = await ask("cancel", String(second), "999");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("error (job.unknown)");
  const object = JSON.parse((await ask("cancel", String(first), "--json")).stdout) as { waiting: { id: number }[] };
  expect(object.waiting.map(({ id }) => id)).toEqual([second]);
});

test("a job that another program runs ends before the answer", async () => {
  plumbing.script({ stepMs: 60_000 });
  await withStudio(async (studio) => {
    const [job] = await studio.enqueueAll([{ prompt: "a red ball" }]);
    const outcome = studio.wait(job!.id);
    await expect.poll(() => studio.queue.state().running?.id, { timeout: 20_000 }).toBe(job!.id);
    expect((await ask()).stdout).toMatch(/running .*a red ball\n/);
    expect((await ask("cancel", String(job!.id))).stdout).toBe("No job runs or waits.\n");
    expect(await outcome).toMatchObject({ state: "cancelled" });
  });
});
