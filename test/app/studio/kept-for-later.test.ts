// What a studio keeps for later goes in time, also under one that is never closed. The engine is the plumbing addon.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { latentsKeptDays } from "../../../app/jobs/latents-policy.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing, until } from "../engine/plumbing.ts";

const hour = 60 * 60 * 1000;
const now = Date.now.bind(Date);
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

const embeddings = () => join(plumbing.library, "cache", "embeddings");
async function generated(prompt: string) {
  return studio.wait((await studio.enqueue({ prompt })).id);
}
const hoursLater = (hours: number) => vi.spyOn(Date, "now").mockImplementation(() => now() + hours * hour);

/** A kept embedding of this size that was used so many days ago; it takes no room on the disk. */
function embedding(name: string, bytes: number, days: number): string {
  mkdirSync(embeddings(), { recursive: true });
  const path = join(embeddings(), `${name}.safetensors`);
  writeFileSync(path, "");
  truncateSync(path, bytes);
  const used = (now() - days * 24 * hour) / 1000;
  utimesSync(path, used, used);
  return path;
}

test("old latents go while the queue is kept running, waiting for jobs or paused", async () => {
  studio.run();
  const [first, second] = [await generated("a red ball"), await generated("a blue ball")];
  const age = (id: number) =>
    studio.database
      .prepare("UPDATE jobs SET finished_at = ? WHERE id = ?")
      .run(now() - (latentsKeptDays + 1) * 24 * hour, id);
  age(first.id);
  hoursLater(5);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(existsSync(first.latentsPath!)).toBe(true);
  hoursLater(7);
  await until(() => !existsSync(first.latentsPath!), "the latents to go");
  expect(existsSync(second.latentsPath!)).toBe(true);
  expect(studio.get(first.id)!.latentsPath).toBeNull();
  studio.queue.pause();
  age(second.id);
  hoursLater(14);
  await until(() => !existsSync(second.latentsPath!), "the latents to go");
});

test("embeddings beyond 2 GB go, those first that were used the longest ago", async () => {
  const [oldest, older, newer] = [
    embedding("a", 0.9e9, 30),
    embedding("b", 0.9e9, 20),
    embedding("c", 0.9e9, 10),
  ] as const;
  studio.run();
  await until(() => !existsSync(oldest), "the oldest to go");
  expect([existsSync(older), existsSync(newer)]).toEqual([true, true]);
  utimesSync(older, new Date(), new Date());
  const latest = embedding("d", 0.9e9, 0);
  // What is swept before has nothing to look through then.
  rmSync(join(plumbing.library, "inputs"), { recursive: true });
  hoursLater(7);
  await until(() => !existsSync(newer), "the one that was not used since to go");
  expect([existsSync(older), existsSync(latest)]).toEqual([true, true]);
});

test("a prompt that is used again counts as used", async () => {
  await generated("a red ball");
  const [name = ""] = readdirSync(embeddings());
  const path = join(embeddings(), name);
  utimesSync(path, 1, 1);
  await generated("a red ball");
  expect(statSync(path).mtimeMs).toBeGreaterThan(now() - hour);
});

describe("an embedding is kept under the format it was encoded in", () => {
  const encoded = () =>
    readdirSync(embeddings())
      .map((name) => readFileSync(join(embeddings(), name), "utf8"))
      .sort();
  const planned = (textEncoderFormat: "16-bit" | "int8") =>
    plumbing.script({ stepMs: 5, plans: [{ peakBytes: 900, textEncoderFormat }] });

  test("one of int8 serves no job that has memory for 16 bits", async () => {
    planned("int8");
    await generated("a red ball");
    expect(encoded()).toEqual(["encoded in int8"]);
    planned("16-bit");
    await generated("a red ball");
    expect(encoded()).toEqual(["encoded in 16-bit", "encoded in int8"]);
  });

  test("one of 16 bits serves every job that leaves the format open: it takes no encoder's memory", async () => {
    planned("16-bit");
    await generated("a red ball");
    planned("int8");
    const job = await generated("a red ball");
    expect(encoded()).toEqual(["encoded in 16-bit"]);
    expect(job).toMatchObject({ state: "done", settings: { textEncoderFormat: "16-bit" } });
  });
});
