// A program that holds a queue, killed at random moments while the queue is changed and run: every job that was accepted
// is there, the order is the one that was last told (or that of the change under way), a paused queue stays paused, and
// in the end everything is made.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStudio } from "../../../app/studio/open-studio.ts";
import { randomNumbers } from "../../random-numbers.ts";
import { Plumbing, until } from "../engine/plumbing.ts";

const program = fileURLToPath(new URL("change-queue.ts", import.meta.url));
let plumbing: Plumbing;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());

interface Line {
  order?: number[];
  intent?: number[];
  added?: "end" | "next";
}

/** Runs the program for a while; gives its last two lines. */
async function changeAndKill(seed: number, paused: boolean, milliseconds: number): Promise<Line[]> {
  const child = spawn(process.execPath, [program, plumbing.library, String(seed), paused ? "paused" : "running"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Line[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(JSON.parse(line) as Line));
  await until(() => lines.length >= 8, "the first changes");
  await sleep(milliseconds);
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
  return lines.slice(-2);
}

test("killed again and again, a queue loses nothing and keeps its order", async () => {
  plumbing.script({ stepMs: 60 });
  const random = randomNumbers(11);
  const accepted = new Set<number>();
  for (let round = 0; round < 8; round++) {
    const paused = round % 4 !== 3;
    const lines = await changeAndKill(round + 1, paused, random() * 400);
    const studio = await openStudio({ libraryFolder: plumbing.library });
    try {
      const { waiting, paused: stillPaused } = studio.queue.state();
      const order = waiting.map(({ id }) => id);
      expect(stillPaused).toBe(paused);
      for (const id of lines.flatMap((line) => [...(line.order ?? []), ...(line.intent ?? [])])) accepted.add(id);
      for (const id of accepted) expect(studio.get(id)).not.toBeNull();
      // While jobs run, the front of the queue moves by itself.
      if (paused) expect(possibleOrders(lines, order)).toContainEqual(order);
      for (const id of order) accepted.add(id);
    } finally {
      await studio.close();
    }
  }

  const studio = await openStudio({ libraryFolder: plumbing.library });
  try {
    plumbing.script({ stepMs: 4 });
    const begun: number[] = [];
    studio.listen((event) => {
      if (event.kind === "job:changed" && event.state === "running") begun.push(event.jobId);
    });
    studio.queue.resume();
    const order = studio.queue.state().waiting.map(({ id }) => id);
    studio.run();
    await until(() => studio.queue.state().waiting.length === 0 && studio.queue.state().running === null, "the queue");
    // A job that was running when its program was killed goes first.
    expect(begun.slice(-order.length)).toEqual(order);
    for (const id of accepted) expect(["done", "cancelled"]).toContain(studio.get(id)?.state);
    expect(studio.list({ limit: 1000 }).filter(({ state }) => state === "failed")).toEqual([]);
  } finally {
    await studio.close();
  }
});

/** What the queue may be after these lines: as last told, or as the change under way makes it. */
function possibleOrders(lines: readonly Line[], found: readonly number[]): number[][] {
  const last = lines.at(-1);
  if (last?.order) return [last.order];
  const before = last?.intent ?? [];
  if (last?.added === undefined) return [before, lines.at(-2)?.order ?? []];
  const fresh = found.filter((id) => !before.includes(id));
  return [before, last.added === "next" ? [...fresh, ...before] : [...before, ...fresh]];
}
