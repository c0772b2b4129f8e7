// The parts a run is made of: progress, where it continues, which latents go, names, copies.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobStepLatents } from "../../../contract/job.ts";
import { openDatabase } from "../../../app/history/database.ts";
import { readJob, readStepLatents } from "../../../app/history/reads/jobs.ts";
import { insertJobs, moveJob } from "../../../app/history/writes/jobs.ts";
import { takeLease } from "../../../app/history/writes/lease.ts";
import { takeNextJob, writeLatentsPath, writeStepLatents, writeVideo } from "../../../app/history/writes/runs.ts";
import { ownIdentity } from "../../../app/history/process-identity.ts";
import { ProgressMeter } from "../../../app/jobs/job-progress.ts";
import {
  deleteOldLatents,
  failedLatentsKeptDays,
  latentsKeptDays,
  latentsToDelete,
} from "../../../app/jobs/latents-policy.ts";
import { LibraryFiles, timeStamp } from "../../../app/jobs/library-files.ts";
import { findResumePoint } from "../../../app/jobs/resume-point.ts";
import { checkSavePath, copyTarget } from "../../../app/jobs/save-path.ts";
import { acceptedJob } from "../history/accepted-job.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-jobs-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a job's progress", () => {
  const planned = [
    { stage: "text", seconds: 1, peakBytes: 1 },
    { stage: "load", seconds: 1, peakBytes: 1 },
    { stage: "sample", seconds: 6, peakBytes: 1 },
    { stage: "decode", seconds: 1.95, peakBytes: 1 },
  ] as const;

  test("weighs its stages by their planned seconds", () => {
    const meter = new ProgressMeter(planned, [], 0);
    expect(meter.at("text", 1, 0, 4, 1000).overall).toBeCloseTo(0.1);
    expect(meter.at("sample", 0.5, 3, 4, 5000).overall).toBeCloseTo(0.5);
    expect(meter.at("save", 1, 0, 0, 10_000)).toMatchObject({ overall: 1, etaSeconds: 0 });
  });

  test("tells the time left by the plan first and by the clock later", () => {
    const meter = new ProgressMeter(planned, [], 0);
    expect(meter.at("text", 0, 0, 4, 0).etaSeconds).toBeCloseTo(10);
    // Half is done after 20 s instead of 5: 20 s are left.
    expect(meter.at("sample", 0.5, 3, 4, 20_000).etaSeconds).toBeCloseTo(20);
  });

  test("takes what was done before, and stages with nothing to do, for no sign of speed", () => {
    // Three of four steps were done by an earlier attempt; the prompt is known and the model warm.
    const resumed = new ProgressMeter(planned, [], 0, 0.75);
    resumed.at("text", 1, 0, 4, 2);
    resumed.at("load", 1, 0, 4, 4);
    const first = resumed.at("sample", 0.75, 4, 4, 10);
    expect(first.overall).toBeCloseTo(0.65);
    expect(first.etaSeconds).toBeCloseTo(3.5, 1);
    // The last step takes twice its plan, so the rest is expected to.
    const last = resumed.at("decode", 0, 0, 4, 3000);
    expect(last.etaSeconds).toBeGreaterThan(2.5);
    const warm = new ProgressMeter(planned, [], 0);
    warm.at("text", 1, 0, 4, 1);
    warm.at("load", 1, 0, 4, 2);
    warm.at("sample", 0, 1, 4, 3);
    expect(warm.at("sample", 0.05, 1, 4, 300).etaSeconds).toBeCloseTo(7.7, 1);
  });

  test("counts the picture of a job that begins with one, between prompt and model, and no other job's", () => {
    const [text, ...others] = planned;
    const picture = { stage: "image", seconds: 2, peakBytes: 1 } as const;
    const meter = new ProgressMeter([text, picture, ...others], [], 0);
    expect(meter.at("image", 1, 0, 4, 1000).overall).toBeCloseTo(3 / 12);
    expect(meter.at("load", 1, 0, 4, 1000)).toMatchObject({ shares: { image: 0.1667 } });
    expect(new ProgressMeter(planned, [], 0).at("load", 1, 0, 4, 1000).shares).not.toHaveProperty("image");
    const decoding = new ProgressMeter([text, picture, ...others], ["text", "image", "load", "sample"], 0);
    expect(decoding.at("decode", 0, 0, 4, 10).shares).not.toHaveProperty("image");
  });

  test("never moves back, and leaves out stages that do not run", () => {
    const meter = new ProgressMeter(planned, ["text", "load", "sample"], 0);
    const half = meter.at("decode", 0.5, 0, 4, 1000).overall;
    expect(half).toBeCloseTo(0.4875);
    expect(meter.at("load", 0, 0, 4, 1000).overall).toBe(half);
    expect(new ProgressMeter(null, [], 0).at("text", 0.5, 0, 4, 10).overall).toBeCloseTo(0.1);
  });
});

describe("where a job continues", () => {
  const settings = acceptedJob("x").settings;
  const files = new LibraryFiles("/library");
  const job = { uid: "u", settings, latentsPath: null };
  const step = (number: number, weights = "w"): JobStepLatents => ({
    ...{ step: number, path: files.stepLatentsPath(job, weights, number) },
    ...{ bytes: 1, createdAt: 0 },
  });
  const all = () => true;
  const found = (steps: JobStepLatents[], exists: (path: string) => boolean, latentsPath: string | null = null) =>
    findResumePoint({ ...job, latentsPath }, steps, files, "w", exists);

  test("at its latents, else at the last step whose file is there, else at the start", () => {
    const steps = [step(1), step(2), step(3)];
    expect(found(steps, all, "/l")).toEqual({ kind: "latents", path: "/l" });
    expect(found(steps, all)).toMatchObject({ kind: "step", step: 3 });
    const withoutThird = (path: string) => path !== step(3).path && path !== "/l";
    expect(found(steps, withoutThird, "/l")).toMatchObject({ step: 2 });
    expect(found(steps, () => false, "/l")).toEqual({ kind: "start" });
    expect(found([step(4)], all)).toEqual({ kind: "start" });
  });

  test("not at steps that other weights made", () => {
    expect(found([step(1), step(2, "other")], all)).toMatchObject({ step: 1 });
    expect(found([step(1, "other")], all)).toEqual({ kind: "start" });
  });
});

describe("which latents are deleted", () => {
  const day = 24 * 60 * 60 * 1000;
  const now = 1000 * day;
  const owner = (id: number, changes: object = {}) => ({
    id,
    state: "done" as const,
    finishedAt: now - (latentsKeptDays + 1) * day,
    latentsPath: `/l/${id}`,
    hasVideo: true,
    ...changes,
  });

  test("those of old jobs whose video is saved, no others", () => {
    expect(
      latentsToDelete(
        [
          owner(1),
          owner(2, { finishedAt: now - (latentsKeptDays - 1) * day }),
          owner(3, { hasVideo: false }),
          owner(4, { state: "running" }),
          owner(5, { state: "queued", finishedAt: null, hasVideo: false }),
        ],
        now,
      ),
    ).toEqual([1]);
  });

  test.each([
    ["cancelled", latentsKeptDays],
    ["failed", failedLatentsKeptDays],
  ] as const)("those of %s jobs after %i days, which then begin anew", (state, days) => {
    const ended = (id: number, ago: number, latentsPath: string | null = null) =>
      owner(id, { state, hasVideo: false, latentsPath, finishedAt: now - ago * day });
    // Jobs without final latents name no file together.
    expect(latentsToDelete([ended(1, days + 1), ended(2, days - 1), ended(3, days + 1, "/l/3")], now)).toEqual([1, 3]);
    expect(latentsToDelete([owner(1), ended(2, days - 1, "/l/1")], now)).toEqual([]);
  });

  test("not those that a younger job still names", () => {
    const again = owner(2, { latentsPath: "/l/1", finishedAt: now });
    expect(latentsToDelete([owner(1), again], now)).toEqual([]);
    expect(latentsToDelete([owner(1), { ...again, state: "queued" as const }], now)).toEqual([]);
  });

  test("with their steps, on the disk and in the record", async () => {
    const database = openDatabase(join(folder, "rushes.db"));
    const [id = 0] = insertJobs(database, [acceptedJob("x")]);
    takeLease(database, { token: "t", ...ownIdentity() });
    takeNextJob(database, "t");
    for (const name of ["final", "step", "other"]) writeFileSync(join(folder, name), "");
    writeLatentsPath(database, id, join(folder, "final"));
    writeStepLatents(database, id, { step: 1, path: join(folder, "step"), bytes: 0, createdAt: 0 });
    const picture = { width: 1, height: 1, frames: 1, bytes: 1 };
    writeVideo(database, id, { path: "/v", posterPath: "/p", copyPath: null, ...picture });
    await deleteOldLatents(database, Date.now() + 1000 * day);
    expect(readdirSync(folder)).toContain("final");
    moveJob(database, id, { to: "done", note: "" });
    await deleteOldLatents(database, Date.now() + 1000 * day);
    expect(readdirSync(folder).filter((name) => !name.startsWith("rushes.db"))).toEqual(["other"]);
    expect(readJob(database, id)?.latentsPath).toBeNull();
    expect(readStepLatents(database, id)).toEqual([]);
    database.close();
  });

  test("of a job that was cancelled while it sampled", async () => {
    const database = openDatabase(join(folder, "rushes.db"));
    const [id = 0] = insertJobs(database, [acceptedJob("x")]);
    takeLease(database, { token: "t", ...ownIdentity() });
    takeNextJob(database, "t");
    writeFileSync(join(folder, "step"), "");
    writeStepLatents(database, id, { step: 1, path: join(folder, "step"), bytes: 0, createdAt: 0 });
    moveJob(database, id, { to: "cancelled", note: "" });
    await deleteOldLatents(database, Date.now() + (latentsKeptDays - 1) * day);
    expect(readStepLatents(database, id)).toHaveLength(1);
    await deleteOldLatents(database, Date.now() + (latentsKeptDays + 1) * day);
    expect(existsSync(join(folder, "step"))).toBe(false);
    expect(readStepLatents(database, id)).toEqual([]);
    database.close();
  });
});

describe("names", () => {
  test("say when, what and which seed", () => {
    const createdAt = new Date(2026, 10, 5, 7, 8, 9).getTime();
    expect(timeStamp(new Date(createdAt))).toBe("2026-11-05_070809");
    const files = new LibraryFiles("/library");
    expect(files.videoPath({ createdAt, mode: "t2v", seed: 42 })).toBe(
      join("/library", "videos", "2026-11-05_070809_t2v_42.mp4"),
    );
  });

  test("a library folder that cannot be made is one sentence, and ends", () => {
    expect(() => new LibraryFiles("/proc/none/library").make()).toThrow(
      expect.objectContaining({ code: "file.unwritable" }),
    );
    writeFileSync(join(folder, "file"), "");
    expect(() => new LibraryFiles(join(folder, "file", "library")).make()).toThrow(
      expect.objectContaining({ code: "file.unwritable" }),
    );
  });

  test("a copy goes into a folder under the video's name, or to the file that was named", async () => {
    expect(copyTarget(folder, "v.mp4")).toEqual({ path: join(folder, "v.mp4"), replace: false });
    expect(copyTarget(join(folder, "new/"), "v.mp4")).toEqual({ path: join(folder, "new", "v.mp4"), replace: false });
    expect(copyTarget(join(folder, "a.mp4"), "v.mp4")).toEqual({ path: join(folder, "a.mp4"), replace: true });
    expect(copyTarget(join(folder, "a"), "v.mp4")).toEqual({ path: join(folder, "a.mp4"), replace: true });
    expect(copyTarget(join(folder, "out.v2"), "v.mp4")).toEqual({ path: join(folder, "out.v2.mp4"), replace: true });
    for (const name of ["ball.gif", "ball.PNG", "list.csv"])
      await expect(checkSavePath(join(folder, name))).rejects.toThrow(/The video is written as MP4, not as \./);
    expect(await checkSavePath(`${folder}/deep/er/`)).toBe(`${folder}/deep/er/`);
    expect(readdirSync(join(folder, "deep", "er"))).toEqual([]);
  });
});
