// What is written down of one attempt while it runs: its plan, progress, log, stages, and what it left on the disk to go on
// from. Every line is told at once to those who watch, and written with the next flush.
import { existsSync, statSync } from "node:fs";
import { appendFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RushesError } from "../../contract/errors.ts";
import { formatMemory } from "../../contract/format-bytes.ts";
import type { Job, JobEvent, JobLogLine, JobProgress, JobStage } from "../../contract/job.ts";
import { type LoweredPlan, loweredSentence } from "../../contract/lowered-plan.ts";
import type { GenerateReport, Plan, StageReport } from "../engine/addon.ts";
import type { HistoryDatabase } from "../history/database.ts";
import { readStepLatents, requireJob } from "../history/reads/jobs.ts";
import { updateSettings } from "../history/writes/jobs.ts";
import {
  forgetLatents,
  writeFacts,
  writeInt8Names,
  writeKeptStep,
  writeLatentsPath,
  writeLog,
  writeLowered,
  writeProgress,
  writeResume,
  writeStages,
  writeStepLatents,
} from "../history/writes/runs.ts";
import { ProgressMeter } from "./job-progress.ts";
import { learntPlan } from "./learnt-seconds.ts";
import type { LibraryFiles } from "./library-files.ts";
import type { ResumePoint } from "./resume-point.ts";
import { StageTimes } from "./stage-times.ts";

export interface RecordTools {
  database: HistoryDatabase;
  files: LibraryFiles;
  emit: (event: JobEvent) => void;
}

export class AttemptRecord {
  readonly #tools: RecordTools;
  readonly #id: number;
  readonly #stages = new StageTimes();
  #job: Job;
  #plan: Plan | null = null;
  #meter = new ProgressMeter(null, [], performance.now());
  #progress: JobProgress | null = null;
  #unwrittenProgress = false;
  #unwrittenLog: JobLogLine[] = [];
  #recordedSteps = 0;
  #weights = "";

  constructor(tools: RecordTools, id: number) {
    this.#tools = tools;
    this.#id = id;
    this.#job = this.readNow();
  }

  /** The job as this attempt knows it. */
  get job(): Job {
    return this.#job;
  }

  /** What the attempt keeps to: the engine's own once it has made it. */
  get plan(): Plan | null {
    return this.#plan;
  }

  /** The stage under way. */
  get stage(): JobStage | null {
    return this.#stages.current;
  }

  /** Steps whose latents are on the disk and written down. */
  get recordedSteps(): number {
    return this.#recordedSteps;
  }

  /** The job as the history has it. Throws job.unknown. */
  readNow(): Job {
    return requireJob(this.#tools.database, this.#id);
  }

  /** `weights`: in the names of the steps' latents. Steps that an earlier attempt made with other weights are deleted. */
  async resumedAt(point: ResumePoint, weights: string): Promise<void> {
    this.#weights = weights;
    if (point.kind === "start") await this.#beginAnew();
    const step = point.kind === "step" ? point.step : point.kind === "latents" ? this.#job.settings.numSteps : 0;
    this.#recordedSteps = step;
    writeResume(this.#tools.database, this.#id, this.#job.kind === "decode" ? 0 : step);
    if (point.kind === "step") this.log("info", `Continues after step ${step}.`);
    else if (point.kind === "latents" && this.#job.kind === "generate")
      this.log("info", "Continues with decoding: the latents are saved.");
  }

  async #beginAnew(): Promise<void> {
    const { database } = this.#tools;
    const steps = readStepLatents(database, this.#id);
    if (steps.length === 0) return;
    this.log("info", `Begins anew: step ${steps.at(-1)!.step} was made with other weights, or its latents are gone.`);
    // Also a step's that was not written down any more.
    const { latents } = this.#tools.files;
    const own = (await readdir(latents).catch(() => [])).filter((name) => name.startsWith(`${this.#job.uid}-`));
    for (const name of own) await rm(join(latents, name), { force: true });
    forgetLatents(database, this.#id);
  }

  /** Progress is measured from here on against `plan`, less what earlier attempts did. */
  started(plan: Plan, point: ResumePoint): void {
    const skipped: JobStage[] = point.kind === "latents" ? ["text", "image", "load", "sample"] : [];
    this.planned(plan);
    const { stages } = learntPlan(this.#tools.database, this.#job.model, plan);
    const sampledBefore = point.kind === "step" ? point.step / this.#job.settings.numSteps : 0;
    this.#meter = new ProgressMeter(stages, skipped, performance.now(), sampledBefore);
  }

  planned(plan: Plan): void {
    this.#plan = plan;
    this.#stages.planned(plan);
    const { warnings, int8 } = this.#job;
    this.#writeFacts(plan, warnings, int8);
  }

  /** Steps up to this one are done: those whose latents are on the disk are written down. */
  stepsDone(upTo: number): void {
    if (this.#job.kind === "decode") return;
    for (let step = this.#recordedSteps + 1; step <= upTo; step++) {
      const path = this.#tools.files.stepLatentsPath(this.#job, this.#weights, step);
      const facts = statSync(path, { throwIfNoEntry: false });
      if (!facts) return;
      writeStepLatents(this.#tools.database, this.#id, { step, path, bytes: facts.size, createdAt: Date.now() });
      this.#recordedSteps = step;
    }
  }

  /** All steps are done: the latents are written down if they are on the disk. */
  samplingDone(): void {
    this.stepsDone(this.#job.settings.numSteps);
    const path = this.#tools.files.latentsPath(this.#job);
    if (this.#job.latentsPath !== null || this.#job.kind === "decode" || !existsSync(path)) return;
    writeLatentsPath(this.#tools.database, this.#id, path);
    this.#job = { ...this.#job, latentsPath: path };
  }

  advance(stage: JobStage, fraction: number, step: number, steps: number): void {
    // Not the time of day, which people and networks set back.
    const now = performance.now();
    this.#stages.at(stage, now);
    this.#progress = this.#meter.at(stage, fraction, step, steps, now);
    this.#unwrittenProgress = true;
    this.#tools.emit({ kind: "progress", jobId: this.#id, progress: this.#progress });
  }

  /** Written at once: whatever becomes of the attempt, this stage was finished. */
  stageDone(report: StageReport): void {
    this.#stages.at(report.stage, performance.now());
    this.#stages.reported(report);
    this.writeStages(null);
  }

  log(level: JobLogLine["level"], line: string): void {
    this.#unwrittenLog.push({ at: Date.now(), level, line });
    this.#tools.emit({ kind: "log", jobId: this.#id, level, line });
  }

  lowered(lowered: LoweredPlan): void {
    this.log("warning", loweredSentence(lowered, formatMemory));
    writeLowered(this.#tools.database, this.#id, lowered);
  }

  /** The detail of an engine's end goes to the library's own log, where it outlives the job. */
  async crashed(error: RushesError): Promise<void> {
    const lines = `${new Date().toISOString()} job ${this.#id}: ${error.detail}\n`;
    await appendFile(join(this.#tools.files.logs, "engine.log"), lines).catch(() => {});
  }

  /** The engine's part is done. */
  computed(report: GenerateReport): void {
    const { database } = this.#tools;
    this.samplingDone();
    // A budget that the program set for an attempt is none of the job's settings.
    const { memoryBudget } = this.#job.settings;
    updateSettings(database, this.#id, { ...this.#job.settings, ...report.settings, memoryBudget });
    const { int8, keptStep } = report;
    if (int8) writeInt8Names(database, this.#id, int8.names);
    if (keptStep !== null) writeKeptStep(database, this.#id, keptStep);
    const warnings = [...new Set([...this.#job.warnings, ...report.warnings])];
    this.#writeFacts(report.plan, warnings, int8 && { layers: int8.layers, bytes16: int8.bytes16, bytes: int8.bytes });
    this.writeStages(report);
    this.#job = this.readNow();
  }

  writeStages(report: GenerateReport | null): void {
    writeStages(this.#tools.database, this.#id, this.#job.attempts, this.#stages.records(report));
  }

  /** Writes what has come in since the last time. */
  flush(): void {
    const { database } = this.#tools;
    const lines = this.#unwrittenLog;
    this.#unwrittenLog = [];
    if (lines.length > 0) writeLog(database, this.#id, lines);
    if (this.#unwrittenProgress && this.#progress) writeProgress(database, this.#id, this.#progress);
    this.#unwrittenProgress = false;
  }

  #writeFacts(plan: Plan, warnings: Job["warnings"], int8: Job["int8"]): void {
    writeFacts(this.#tools.database, this.#id, {
      warnings,
      int8,
      plannedSeconds: plan.seconds,
      plannedPeakBytes: plan.peakBytes,
      deviceName: plan.device?.name ?? null,
    });
  }
}
