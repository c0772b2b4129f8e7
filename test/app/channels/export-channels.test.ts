// The exports' channels: into a folder, as a download, one after the other, cancelled, failed, and what is left at the end.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ExportState } from "../../../contract/channels/exports.ts";
import type { Job } from "../../../contract/job.ts";
import { exportChannels } from "../../../app/channels/export-channels.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { Plumbing, until } from "../engine/plumbing.ts";
import { openDoor as door } from "./open-door.ts";

let plumbing: Plumbing;
let studio: Studio;
let exports: ReturnType<typeof exportChannels>;
let job: Job;
const heard: ExportState[] = [];
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 5 });
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
  exports = exportChannels(studio);
  job = await studio.wait((await studio.enqueue({ prompt: "A red ball", settings: { seed: 3 } })).id);
  heard.splice(0);
  studio.listen((event) => {
    if (event.kind === "export:changed") heard.push(event.export);
  });
});
afterEach(() => studio.close());

const stateOf = (id: string) => studio.exports.list().find((each) => each.id === id);
const ended = (id: string) => until(() => stateOf(id)?.state !== "running", "the export's end");

describe("exports", () => {
  test("into a folder: the same file under its name, a taken name gets a number, and it is told as it goes", async () => {
    const folder = join(plumbing.folder, "out");
    mkdirSync(folder, { recursive: true });
    const request = { jobId: job.id, format: "mp4", folder } as const;
    const first = (await exports["exports:start"](request, door)).export;
    const second = (await exports["exports:start"](request, door)).export;
    expect(first).toMatchObject({ state: "running", fraction: 0, path: null, download: false });
    await ended(first.id);
    await ended(second.id);
    const paths = [first, second].map(({ id }) => stateOf(id)?.path ?? "");
    expect(paths[1]).toBe(paths[0]!.replace(".mp4", "-2.mp4"));
    for (const path of paths) expect(readFileSync(path)).toEqual(readFileSync(job.video!.path));
    expect(stateOf(first.id)).toMatchObject({ state: "done", fraction: 1, bytes: job.video!.bytes, download: false });
    expect(heard.filter(({ id }) => id === first.id).map(({ state }) => state)).toContain("done");
    expect(studio.exports.download(first.id)).toBeNull();
  });

  test("for a download: kept until the studio closes", async () => {
    const { export: started } = await exports["exports:start"]({ jobId: job.id, format: "mp4" }, door);
    await ended(started.id);
    expect(stateOf(started.id)).toMatchObject({ state: "done", path: null, download: true });
    const download = studio.exports.download(started.id)!;
    expect(download).toMatchObject({ mediaType: "video/mp4", bytes: job.video!.bytes });
    expect(existsSync(download.path)).toBe(true);
    await studio.close();
    expect(existsSync(download.path)).toBe(false);
  });

  test("cancelled before and after its end", async () => {
    const first = (await exports["exports:start"]({ jobId: job.id, format: "mp4" }, door)).export;
    const waiting = (await exports["exports:start"]({ jobId: job.id, format: "gif" }, door)).export;
    await exports["exports:cancel"]({ id: waiting.id }, door);
    await ended(waiting.id);
    expect(stateOf(waiting.id)).toMatchObject({ state: "cancelled", error: null });
    expect(stateOf(first.id)?.state).toBe("done");
    await exports["exports:cancel"]({ id: first.id }, door);
    expect(stateOf(first.id)?.state).toBe("done");
    expect(() => exports["exports:cancel"]({ id: "none" }, door)).toThrow(
      expect.objectContaining({ code: "request.invalid" }),
    );
  });

  test("a failure is told with its reason; what comes after it runs", async () => {
    const bytes = readFileSync(job.video!.path);
    writeFileSync(job.video!.path, bytes.subarray(0, 100));
    const broken = (await exports["exports:start"]({ jobId: job.id, format: "webm" }, door)).export;
    await ended(broken.id);
    expect(stateOf(broken.id)).toMatchObject({ state: "failed", error: { code: "file.unreadable" } });
    writeFileSync(job.video!.path, bytes);
    const next = (await exports["exports:start"]({ jobId: job.id, format: "mp4" }, door)).export;
    await ended(next.id);
    expect(stateOf(next.id)?.state).toBe("done");
  });

  test("a video that crashes a codec fails its export, and the job that runs meanwhile comes to its end", async () => {
    plumbing.script({ stepMs: 150, crashInCodec: true });
    const { id } = await studio.enqueue({ prompt: "Another ball" });
    const engine = studio.engine.processId;
    studio.run();
    await until(() => studio.get(id)?.progress?.stage === "sample", "the job to run");
    for (const format of ["webm", "gif"] as const) {
      const hostile = (await exports["exports:start"]({ jobId: job.id, format }, door)).export;
      await ended(hostile.id);
      expect(stateOf(hostile.id)).toMatchObject({ state: "failed", error: { code: "engine.crashed" } });
    }
    expect(await studio.wait(id)).toMatchObject({ state: "done", attempts: 1, error: null });
    expect([studio.engine.processId, studio.get(id)?.changes.map(({ state }) => state)]).toEqual([
      engine,
      ["queued", "running", "done"],
    ]);
  });

  test("a job without a video and an unknown job are refused", async () => {
    const { id } = await studio.enqueue({ prompt: "Another ball" });
    const start = (jobId: number) => exports["exports:start"]({ jobId, format: "mp4" }, door);
    await expect(start(id)).rejects.toMatchObject({ code: "file.unreadable" });
    await expect(start(999)).rejects.toMatchObject({ code: "job.unknown" });
  });
});
