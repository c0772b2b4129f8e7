// The real engine under an impatient hand: jobs are cancelled, kept, paused and followed by the next one at any moment, and
// every job ends as it was asked to.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { isFinal, type JobState } from "../../../contract/job.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { until } from "../../app/engine/plumbing.ts";

const rounds = 20;
const changes = ["cancel", "keep", "pause", "kill", "next"] as const;

/** Decoding has nothing to stop and keep; that the request is refused then is right. */
function keepIfSampling(studio: Studio, id: number): void {
  try {
    studio.queue.keep(id);
  } catch (error) {
    expect(error).toMatchObject({ code: "job.not_running" });
  }
}

test("cancel, keep, pause, a killed engine and the next job, in quick turns: every job ends properly", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rushes-quick-"));
  const studio = await openStudio({ libraryFolder: join(folder, "library") });
  studio.run();
  try {
    const job = (id: number) => studio.get(id)!;
    const ended = (id: number) => until(() => isFinal(job(id).state), `the end of job ${id}`, 120_000);
    const asked: { id: number; change: (typeof changes)[number] }[] = [];
    for (let round = 0; round < rounds; round++) {
      const change = changes[round % changes.length]!;
      const values = { prompt: "A red ball bounces", seed: round, width: 128, height: 128, numFrames: 17 };
      const [added] = await studio.queue.add([{ values }]);
      const { id } = added!;
      asked.push({ id, change });
      await until(() => job(id).state !== "queued", `job ${id} to start`, 120_000);
      // Moments spread over a job's first stages: the model's opening, sampling, decoding.
      await sleep((round * 37) % 300);
      // It may be over by now, or not have an engine yet; that is one of the moments.
      const running = job(id).state === "running";
      if (change === "cancel" && running) studio.cancel(id);
      else if (change === "keep" && running) keepIfSampling(studio, id);
      else if (change === "kill" && running && studio.engine.processId)
        process.kill(studio.engine.processId, "SIGKILL");
      else if (change === "pause") {
        studio.queue.pause();
        await until(() => job(id).state !== "running", `job ${id} to stand back`, 60_000);
        studio.queue.resume();
      }
      // What the window asks meanwhile is answered too.
      await studio.machineState.state();
    }
    for (const { id } of asked) await ended(id);
    for (const { id, change } of asked) {
      const { state, error } = job(id);
      // An engine that dies before a step is finished fails its job, and no other.
      const allowed: Record<(typeof changes)[number], JobState[]> = {
        cancel: ["cancelled", "done"],
        keep: ["done"],
        pause: ["done"],
        kill: ["failed", "done"],
        next: ["done"],
      };
      expect(allowed[change], `job ${id}, ${change}: ${error?.code} ${error?.detail}`).toContain(state);
      if (state === "failed") expect(error?.code).toBe("engine.crashed");
    }
    expect(await studio.machineState.state()).toMatchObject({ busy: false });
  } finally {
    await studio.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
