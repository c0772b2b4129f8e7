// The history's channels on a studio with finished jobs: what is found and shown, marked, deleted, restored and purged, and
// what listeners hear of it.
import { existsSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StudioEvent } from "../../../contract/channels.ts";
import { historyChannels, keepTrash } from "../../../app/channels/history-channels.ts";
import { daysInTrash, deleteResults } from "../../../app/history/writes/results.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing, until } from "../engine/plumbing.ts";
import { discarded, openDoor as door } from "./open-door.ts";

let plumbing: Plumbing;
let studio: Studio;
let history: ReturnType<typeof historyChannels>;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 5 });
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
  history = historyChannels(studio);
});
afterEach(() => studio.close());

async function generated(seed: number, prompt = "A red ball bounces on a blue background") {
  return studio.wait((await studio.enqueue({ prompt, settings: { seed } })).id);
}

describe("the history", () => {
  test("shows what was made: a card, everything of it, and counts", async () => {
    const first = await generated(1);
    const second = await generated(2);
    expect(await history["history:find"]({ filter: { words: "ball" } }, door)).toEqual({ ids: [second.id, first.id] });
    expect(await history["history:find"]({ filter: { stacked: true } }, door)).toEqual({ ids: [second.id] });
    const { cards } = await history["history:cards"]({ ids: [second.id, 99] }, door);
    expect(cards).toMatchObject([{ id: second.id, seed: 2, stackSize: 2, hasVideo: true, state: "done", fps: 16 }]);
    expect(cards[0]?.seconds).toBeGreaterThan(0);
    const { detail } = await history["history:detail"]({ jobId: second.id }, door);
    expect(detail).toMatchObject({ stackSize: 2, favourite: false, deletedAt: null, canDecodeAgain: true });
    expect(detail.int8Names).toContain("blocks.0.self_attn.q [256x256]");
    expect(detail.stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample", "decode", "save"]);
    expect(await history["history:facets"]({}, door)).toMatchObject({
      models: [{ model: "demo", count: 2 }],
      states: [{ state: "done", count: 2 }],
      sizes: [{ width: 128, height: 128, count: 2 }],
    });
    expect(() => history["history:detail"]({ jobId: 99 }, door)).toThrow(
      expect.objectContaining({ code: "job.unknown" }),
    );
  });

  test("marks, deletes, restores and purges, and says so", async () => {
    const job = await generated(1);
    const events: StudioEvent[] = [];
    studio.listen((event) => events.push(event));
    const told = () => events.splice(0).some(({ kind }) => kind === "history:changed");
    await history["history:favourite"]({ jobIds: [job.id], favourite: true }, door);
    expect(told()).toBe(true);
    expect(await history["history:find"]({ filter: { favourite: true } }, door)).toEqual({ ids: [job.id] });
    expect(await history["history:delete"]({ jobIds: [job.id] }, door)).toEqual({ jobIds: [job.id] });
    expect(told()).toBe(true);
    expect(await history["history:find"]({ filter: {} }, door)).toEqual({ ids: [] });
    await history["history:restore"]({ jobIds: [job.id] }, door);
    expect(told()).toBe(true);
    expect(existsSync(job.video!.path)).toBe(true);
    await history["history:delete"]({ jobIds: [job.id] }, door);
    await history["history:purge"]({ jobIds: [job.id] }, door);
    expect(told()).toBe(true);
    expect(discarded.splice(0)).toEqual([job.video!.path, job.video!.posterPath]);
    expect(existsSync(job.latentsPath!)).toBe(false);
    expect(studio.get(job.id)).toBeNull();
  });

  test("a job that runs cannot be deleted", async () => {
    plumbing.script({ stepMs: 60_000 });
    const { id } = await studio.enqueue({ prompt: "A red ball" });
    studio.run();
    await until(() => studio.get(id)?.state === "running", "the moment");
    expect(() => history["history:delete"]({ jobIds: [id] }, door)).toThrow(
      expect.objectContaining({ code: "job.started" }),
    );
    studio.cancel(id);
    await until(() => studio.get(id)?.state === "cancelled", "the moment");
    expect(await history["history:delete"]({ jobIds: [id] }, door)).toEqual({ jobIds: [id] });
  });

  test("the trash empties itself after its days", async () => {
    const [old, young] = [await generated(1), await generated(2)];
    const day = 24 * 60 * 60 * 1000;
    deleteResults(studio.database, [old.id], Date.now() - (daysInTrash + 1) * day);
    deleteResults(studio.database, [young.id]);
    const end = keepTrash(studio, door);
    await until(() => !existsSync(old.video!.path), "the moment");
    end();
    expect(studio.get(old.id)).toBeNull();
    expect(studio.get(young.id)).not.toBeNull();
    expect(existsSync(young.video!.path)).toBe(true);
  });
});
