// Memory that is really full: the system refuses the engine's process more of it in the middle of a job, and the job goes
// on from its last finished step with a plan that needs less.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { engineOf } from "../engine-of.ts";

let folder = "";
let studio: Studio;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-memory-"));
  studio = await openStudio({ libraryFolder: join(folder, "library") });
});
afterAll(async () => {
  await studio.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Its decode takes 0.7 GB whole and 0.1 GB in tiles. Between them there is room for what else the process may reserve: a new
 * thread's stack and heap are 72 MB of addresses. */
const settings = { seed: 42, width: 832, height: 832, numFrames: 5, numSteps: 2 };
const roomBytes = 350e6;

/** The address space of a process, which counts what it reserved and never touched too; bytes. */
function addressSpace(processId: number): number {
  return Number(/^VmSize:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${processId}/status`, "utf8"))?.[1]) * 1024;
}

test("a job that the system refuses memory goes on in tiles, after the steps that were finished", async () => {
  const { id } = await studio.enqueue({ prompt: "A large red ball bounces on a blue background", settings });
  let limited = false;
  const job = await studio.wait(id, {
    onEvent: (event) => {
      if (limited || event.kind !== "progress" || event.progress.stage !== "sample" || event.progress.step < 2) return;
      limited = true;
      const engine = engineOf(process.pid)!;
      execFileSync("prlimit", ["--pid", String(engine), `--as=${addressSpace(engine) + roomBytes}`]);
    },
  });
  expect(limited).toBe(true);
  expect(job).toMatchObject({ state: "done", error: null, settings: { memoryBudget: 0 } });
  expect(job.attempts).toBeGreaterThan(1);
  expect(job.lowered?.changes).toContain("tileDecode");
  const { log, stages } = studio.get(id)!;
  expect(log.map(({ line }) => line)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^Memory was full \(needs .* free\); going on with .*the decode in tiles\.$/),
      "Continues with decoding: the latents are saved.",
    ]),
  );
  // Nothing was computed again.
  expect(stages.filter(({ stage }) => stage === "sample").map(({ attempt }) => attempt)).toEqual([1]);
});
