// What the command line says while its job cannot run yet. The engine is the plumbing addon.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing } from "../engine/plumbing.ts";
import { runRushes, startRushes } from "./run-rushes.ts";

let plumbing: Plumbing;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(() => rmSync(plumbing.library, { recursive: true, force: true }));

/** Leaves the library as a program that is gone left it. */
async function left(change: (studio: Studio) => unknown): Promise<void> {
  const studio = await openStudio({ libraryFolder: plumbing.library });
  await change(studio);
  await studio.close();
}

test("the jobs of a batch that was killed come first, which is said", async () => {
  // Each takes longer than the time between two looks.
  plumbing.script({ stepMs: 150 });
  await left((studio) => studio.enqueueAll([{ prompt: "a red ball" }, { prompt: "a blue ball" }]));
  const { code, stderr } = await runRushes(["generate", "a green ball"], { library: plumbing.library });
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("note: Waits for 2 earlier jobs of this library.\nnote: Waits for 1 earlier job");
});

test("a paused queue is named beside --json too, on standard error", async () => {
  await left((studio) => studio.queue.pause());
  const { child, finished } = startRushes(["generate", "a red ball", "--json"], { library: plumbing.library });
  // Or its end, where it says nothing.
  const killed = setTimeout(() => child.kill("SIGKILL"), 60_000);
  await Promise.race([once(child.stderr, "data"), finished]);
  clearTimeout(killed);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await finished;
  expect(stderr).toMatch(/^note: The queue of this library is paused: .*\n$/);
  expect(JSON.parse(stdout)).toMatchObject({ state: "cancelled" });
  expect(code).toBe(130);
});
