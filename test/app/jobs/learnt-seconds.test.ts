// What finished jobs teach about the engine's predictions.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HistoryDatabase, openDatabase } from "../../../app/history/database.ts";
import { ownIdentity } from "../../../app/history/process-identity.ts";
import { insertJobs, moveJob } from "../../../app/history/writes/jobs.ts";
import { takeLease } from "../../../app/history/writes/lease.ts";
import { takeNextJob, writeKeptStep, writeResume, writeStages } from "../../../app/history/writes/runs.ts";
import {
  alikeStatement,
  correctedPlan,
  factorsOf,
  measuredStages,
  type MeasuredStage,
} from "../../../app/jobs/learnt-seconds.ts";
import { acceptedJob } from "../history/accepted-job.ts";

const sample = (seconds: number, plannedSeconds: number | null = 10): MeasuredStage => ({
  stage: "sample",
  seconds,
  plannedSeconds,
});

describe("the factor of a stage", () => {
  test("is the median of measured by planned", () => {
    expect(factorsOf([sample(20), sample(30), sample(900)])).toEqual({ sample: 3 });
    expect(factorsOf([sample(20), sample(30)])).toEqual({ sample: 2.5 });
  });

  test("is unknown without a plan or a measurement, and never absurd", () => {
    expect(factorsOf([])).toEqual({});
    expect(factorsOf([sample(20, null), sample(20, 0)])).toEqual({});
    expect(factorsOf([sample(1e9)])).toEqual({ sample: 50 });
  });

  test("is not learnt from a prompt that was encoded already, nor from a warm model", () => {
    const load = (seconds: number) => ({ stage: "load", seconds, plannedSeconds: 10 });
    expect(factorsOf([load(0.01), load(0.01), load(12)])).toEqual({ load: 1.2 });
    expect(factorsOf([load(0.01)])).toEqual({});
  });

  test("corrects the stages it is known for", () => {
    const stages = [
      { stage: "sample", seconds: 4, peakBytes: 7 },
      { stage: "decode", seconds: 1, peakBytes: 8 },
    ] as const;
    expect(correctedPlan({ stages: [...stages] }, { sample: 2 })).toEqual({
      stages: [{ stage: "sample", seconds: 8, peakBytes: 7 }, stages[1]],
      seconds: 9,
      learnt: true,
    });
    expect(correctedPlan({ stages: [...stages] }, {})).toMatchObject({ seconds: 5, learnt: false });
  });
});

describe("measurements of the history", () => {
  let folder = "";
  let database: HistoryDatabase;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rushes-learnt-"));
    database = openDatabase(join(folder, "rushes.db"));
    database.pragma("synchronous = OFF");
    takeLease(database, { token: "runner", ...ownIdentity() });
  });
  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const alike = { model: "demo", attentionType: "sla", quantLinear: "int8", device: "cpu", threads: 2 } as const;
  function finish(seconds: number, settings: object = {}, change: (id: number) => void = () => {}): void {
    const job = acceptedJob("x");
    const { model: _model, ...values } = alike;
    insertJobs(database, [{ ...job, settings: { ...job.settings, ...values, ...settings } }]);
    const id = takeNextJob(database, "runner") ?? 0;
    const none = { deviceBytes: null, plannedDeviceBytes: null };
    const stage = { stage: "sample", seconds, peakBytes: 1, plannedSeconds: 1, plannedBytes: 1, ...none } as const;
    writeStages(database, id, 1, [stage]);
    change(id);
    moveJob(database, id, { to: "done", note: "" });
  }
  const seconds = () => measuredStages(database, alike).map((stage) => stage.seconds);

  test("are those of the latest whole jobs that ran alike", () => {
    finish(1);
    finish(2, { threads: 16 });
    finish(3, { device: "reference" });
    finish(4, { attentionType: "original" });
    finish(5, { quantLinear: "off" });
    finish(6, {}, (id) => writeResume(database, id, 2));
    finish(7, {}, (id) => writeKeptStep(database, id, 2));
    finish(8);
    expect(seconds()).toEqual([8, 1]);
    for (let more = 0; more < 10; more++) finish(9);
    expect(seconds()).toEqual(Array.from({ length: 8 }, () => 9));
  });

  test("walk one index, without sorting", () => {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${alikeStatement}`).all(alike) as { detail: string }[];
    const lines = plan.map(({ detail }) => detail).join("\n");
    expect(lines).toMatch(
      /SEARCH jobs USING INDEX jobs_alike \(model=\? AND attention_type=\? AND quant_linear=\? AND/,
    );
    expect(lines).toMatch(/SEARCH job_stages USING PRIMARY KEY \(job_id=\? AND attempt=\?\)/);
    expect(lines).not.toMatch(/TEMP B-TREE/);
  });
});
