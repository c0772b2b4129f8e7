// The engine and the server are killed at random moments while jobs are added, moved and run. What was accepted is never
// lost, the order stays what it was, and every job ends. The moments are drawn from a seed: RUSHES_SEED=N repeats a run.
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomNumbers } from "../../random-numbers.ts";
import { probe } from "../../video-frames.ts";
import { StudioWindow } from "./studio-window.ts";

const seed = Number(process.env["RUSHES_SEED"] ?? 20_261_121);
const rounds = 6;
const drawn = randomNumbers(seed);
/** A whole number from 0 to `below` - 1. */
const draw = (below: number) => Math.floor(drawn() * below);

let studio: StudioWindow;
/** The numbers of accepted jobs in the order in which they should run. */
let expected: number[] = [];
beforeAll(async () => {
  studio = await StudioWindow.open();
});
afterAll(() => studio?.close());

const detailOf = async (jobId: number) => (await studio.request("history:detail", { jobId })).detail;

async function add(count: number): Promise<void> {
  const drafts = Array.from({ length: count }, (_, index) => {
    const prompt = `A red ball bounces on a blue background, take ${expected.length + index + 1}`;
    return { values: { prompt, numSteps: 4, seed: expected.length + index } };
  });
  const { jobs } = await studio.request("queue:add", { drafts });
  expected.push(...jobs.map(({ id }) => id));
}

/** Puts one of the waiting jobs to the end; what is refused because it began meanwhile changes nothing. */
async function moveOne(): Promise<void> {
  const { waiting } = await studio.request("queue:state", {});
  const job = waiting[draw(Math.max(1, waiting.length))];
  if (!job) return;
  const moved = await studio.request("queue:move", { jobId: job.id, beforeJobId: null }).then(
    () => true,
    () => false,
  );
  if (moved) expected = [...expected.filter((id) => id !== job.id), job.id];
}

async function checkOrder(): Promise<void> {
  const { waiting } = await studio.request("queue:state", {});
  const ids = waiting.map(({ id }) => id);
  expect(ids).toEqual(expected.filter((id) => ids.includes(id)));
}

test(`nothing is lost in ${rounds} rounds (seed ${seed})`, async () => {
  console.log(`the random moments come from RUSHES_SEED=${seed}`);
  for (let round = 1; round <= rounds; round++) {
    await add(1 + draw(2));
    if (draw(2) === 1) await moveOne();
    const victim = draw(2) === 1 ? "server" : "engine";
    const moment = draw(1800);
    await studio.page.waitForTimeout(moment);
    if (victim === "server") {
      // Whatever was answered before the end is accepted; an answer that never came may stand for either.
      const last = studio.request("queue:add", {
        drafts: [{ values: { prompt: `The last moment of round ${round}`, numSteps: 1, seed: round } }],
      });
      const answered = last.then(
        ({ jobs }) => jobs.map(({ id }) => id),
        () => [],
      );
      await studio.page.waitForTimeout(draw(30));
      await studio.restart("SIGKILL");
      expected.push(...(await answered));
    } else {
      const engine = studio.engineProcess;
      if (engine !== null) process.kill(engine, "SIGKILL");
    }
    for (const id of expected) expect((await detailOf(id)).id, `${victim} after ${moment} ms`).toBe(id);
    const { waiting } = await studio.request("queue:state", {});
    const unanswered = waiting.filter(
      ({ id, prompt }) => prompt.startsWith("The last moment") && !expected.includes(id),
    );
    expected.push(...unanswered.map(({ id }) => id));
    await checkOrder();
  }
  // Everything ends: done, or, where its engine was killed too early or too often, failed with the reason, and done once more.
  const tried: number[] = [];
  for (const id of expected) {
    const { state, error } = await studio.server.finished(id, 180_000);
    if (state === "done") continue;
    expect({ state, code: error?.code }).toEqual({ state: "failed", code: "engine.crashed" });
    await studio.request("queue:retry", { jobId: id });
    tried.push(id);
  }
  for (const id of tried) expect((await studio.server.finished(id, 180_000)).state).toBe("done");
  for (const id of expected) {
    const { video } = await detailOf(id);
    expect(probe(video!.path)).toMatchObject({ nb_read_frames: "17", width: 128, height: 128 });
  }
  // The page came back by itself each time and shows all of it.
  await studio.go("History");
  const newest = Math.max(...expected);
  await studio.page.getByRole("link", { name: new RegExp(`^Result ${newest}:`) }).waitFor();
  await studio.page.getByText("The connection to Rushes was lost").waitFor({ state: "hidden" });
  expect(studio.complaints).toEqual([]);
});
