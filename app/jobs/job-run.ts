// One attempt at one job: asks the engine, writes down what it says, saves the video, and says how the attempt ended.
import { appendFile } from "node:fs/promises";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { Job, JobEvent, JobLogLine, JobProgress, JobStage, JobState } from "../../contract/job.ts";
import { formatMemory } from "../../contract/format-bytes.ts";
import { type LoweredPlan, loweredSentence } from "../../contract/lowered-plan.ts";
import type { PlanFix } from "../../contract/plan-fix.ts";
import type { EngineEvent, GenerateReport, ModelFiles, Plan } from "../engine/addon.ts";
import type { EngineClient } from "../engine/client.ts";
import type { CallEvent } from "../engine/messages.ts";
import type { HistoryDatabase } from "../history/database.ts";
import { readJob, readStepLatents, readTokenIds } from "../history/reads/jobs.ts";
import { writeWithReserve } from "../history/reserve.ts";
import { moveJob, unknownJob, updateSettings } from "../history/writes/jobs.ts";
import {
  readOrders,
  writeCrash,
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
import type { VideoPacket } from "../media/mp4.ts";
import type { Picture } from "../media/poster.ts";
import { embeddingName, fingerprint } from "../models/fingerprint.ts";
import { ProgressMeter } from "./job-progress.ts";
import { learntPlan } from "./learnt-seconds.ts";
import type { LibraryFiles } from "./library-files.ts";
import { attemptSettings, lowerPlan } from "./lowered-plan.ts";
import { findResumePoint, type ResumePoint } from "./resume-point.ts";
import { StageTimes } from "./stage-times.ts";
import { adoptVideo, discardPending, saveVideo } from "./save-video.ts";

/** What a run works with. */
export interface RunTools {
  database: HistoryDatabase;
  files: LibraryFiles;
  engine: EngineClient;
  /** The lease's token. */
  runner: string;
  emit: (event: JobEvent) => void;
  /** Whether anybody looks at previews. */
  previews: () => boolean;
}

/** Why a run is ended from outside: the user cancels or pauses the queue, the program closes, another process runs the
 * job now, or the history cannot be written. */
export type EndReason = "cancel" | "pause" | "stop" | "lost" | RushesError;

/** How often progress and log are written down and orders are read, milliseconds. */
const tickPeriod = 150;
/** How long a pause waits for the end of the current step before it gives the step up, milliseconds. */
const pausePatience = 20_000;

/** How an attempt ended that did not succeed. */
interface Ending {
  readonly error: RushesError;
  /** How the job goes on, where it can. */
  readonly lowered: LoweredPlan | null;
  /** What would help where it cannot. */
  readonly fix: PlanFix | null;
}

export class JobRun {
  readonly #tools: RunTools;
  readonly #id: number;
  readonly #controller = new AbortController();
  /** Aborted when sampling is to stop and its latest estimate to be decoded. */
  readonly #keep = new AbortController();
  #job: Job;
  #meter = new ProgressMeter(null, [], performance.now());
  #progress: JobProgress | null = null;
  #unwrittenProgress = false;
  #unwrittenLog: JobLogLine[] = [];
  readonly #stages = new StageTimes();
  #recordedSteps = 0;
  /** Since when the queue is paused, and the steps that were done then. */
  #pausing: { since: number; steps: number } | null = null;
  /** What the attempt keeps to: the engine's own once it has made it. */
  #plan: Plan | null = null;
  #packets: VideoPacket[] = [];
  #poster: Picture | null = null;

  constructor(tools: RunTools, id: number) {
    this.#tools = tools;
    this.#id = id;
    this.#job = this.#read();
  }

  get id(): number {
    return this.#id;
  }

  /** Ends the run; it settles within a second. */
  end(reason: EndReason): void {
    this.#controller.abort(reason);
  }

  /** Runs the attempt to its end. Rejects only when the end cannot be written down. */
  async run(): Promise<void> {
    const { database } = this.#tools;
    this.#emitState("running", "");
    const ticks = setInterval(() => this.#tick(), tickPeriod);
    try {
      if (!(await adoptVideo(database, this.#job))) await this.#make();
      this.#flush();
      this.#move("done", "");
    } catch (error) {
      await this.#failed(asRushesError(error));
    } finally {
      clearInterval(ticks);
    }
  }

  async #make(): Promise<void> {
    const { database, files } = this.#tools;
    const report = await this.#compute();
    this.#writeReport(report);
    this.#job = this.#read();
    if (this.#packets.length !== report.frames || !this.#poster)
      throw new RushesError("engine.internal", {
        sentence: `The engine gave ${this.#packets.length} encoded frames of ${report.frames}.`,
        advice: this.#packets.length === 0 ? "Run `rushes doctor`: the H.264 encoder may be missing." : undefined,
      });
    this.#advance("save", 0, 0, 0);
    const { width, height } = report;
    await saveVideo(database, files, this.#job, { packets: this.#packets, poster: this.#poster, width, height });
    this.#advance("save", 1, 0, 0);
    this.#writeStages(report);
  }

  /** The engine's part: everything, or what an earlier attempt left to do. */
  async #compute(): Promise<GenerateReport> {
    const { database, engine, files } = this.#tools;
    const job = this.#job;
    const modelFiles: ModelFiles = job.files;
    const settings = attemptSettings(job.settings, job.lowered);
    const point = findResumePoint(job, readStepLatents(database, job.id));
    this.#noteResume(point);
    if (job.kind === "decode" && point.kind !== "latents") throw new RushesError("latents.missing");
    const ids = readTokenIds(database, job.id);
    const signal = this.#controller.signal;
    const onEvent = (event: CallEvent) => this.#hear(event);

    // The file writer is read in while the engine works.
    void import("mediabunny");
    const plan = await engine.call("plan", [modelFiles, settings, plannedIds(job, point)], { signal });
    this.#startMeter(plan, point);
    if (point.kind === "latents") return engine.call("decode", [modelFiles, point.path, settings], { signal, onEvent });
    const encoder = await fingerprint(job.files.textEncoder);
    const request = {
      settings,
      ids,
      embeddingPath: files.embeddingPath(embeddingName(ids, encoder, job.files.textLength, job.settings)),
      latentsPath: files.latentsPath(job),
      stepLatentsPrefix: files.stepLatentsPrefix(job),
      preview: this.#tools.previews(),
      ...(point.kind === "step" ? { resumePath: point.path, startStep: point.step } : {}),
    };
    return engine.call("generate", [modelFiles, request], { signal, onEvent, keep: this.#keep.signal });
  }

  #noteResume(point: ResumePoint): void {
    const step = point.kind === "step" ? point.step : point.kind === "latents" ? this.#job.settings.numSteps : 0;
    this.#recordedSteps = step;
    const resumed = this.#job.kind === "decode" ? 0 : step;
    writeResume(this.#tools.database, this.#id, resumed);
    if (point.kind === "step") this.#log("info", `Continues after step ${step}.`);
    else if (point.kind === "latents" && this.#job.kind === "generate")
      this.#log("info", "Continues with decoding: the latents are saved.");
  }

  #startMeter(plan: Plan, point: ResumePoint): void {
    const skipped: JobStage[] = point.kind === "latents" ? ["text", "load", "sample"] : [];
    this.#planned(plan);
    const { stages } = learntPlan(this.#tools.database, this.#job.model, plan);
    const sampledBefore = point.kind === "step" ? point.step / this.#job.settings.numSteps : 0;
    this.#meter = new ProgressMeter(stages, skipped, performance.now(), sampledBefore);
  }

  #planned(plan: Plan): void {
    this.#plan = plan;
    this.#stages.planned(plan);
    writeFacts(this.#tools.database, this.#id, {
      warnings: this.#job.warnings,
      int8: this.#job.int8,
      plannedSeconds: plan.seconds,
      plannedPeakBytes: plan.peakBytes,
      deviceName: plan.device?.name ?? null,
    });
  }

  #hear(event: CallEvent): void {
    try {
      this.#note(event);
    } catch (error) {
      this.end(asRushesError(error));
    }
  }

  #note(event: CallEvent): void {
    switch (event.kind) {
      case "plan":
        return this.#planned(event.plan);
      case "progress":
        return this.#heardProgress(event);
      case "log":
        return this.#log(event.level, event.line);
      case "packet": {
        const { data, keyFrame, frame } = event;
        this.#packets.push({ data, keyFrame, frame });
        return;
      }
      case "poster":
        this.#poster = { rgb: event.rgb, width: event.width, height: event.height };
        return;
      case "preview": {
        this.#recordSteps(event.step);
        this.#tools.emit({ ...event, jobId: this.#id });
        return;
      }
      case "stage":
        this.#stages.at(event.stage, performance.now());
        this.#stages.reported(event);
        // Written at once: whatever becomes of the attempt, this stage was finished.
        return this.#writeStages(null);
      case "line":
        return;
    }
  }

  #heardProgress({ stage, fraction, step, steps }: Extract<EngineEvent, { kind: "progress" }>): void {
    if (stage === "sample") this.#recordSteps(step - 1);
    if (stage === "decode") {
      this.#recordSteps(this.#job.settings.numSteps);
      this.#recordLatents();
    }
    this.#advance(stage, fraction, step, steps);
    if (this.#pausing) this.#heedPause(true);
  }

  /** Writes down the steps up to this one whose latents are on the disk. */
  #recordSteps(upTo: number): void {
    if (this.#job.kind === "decode") return;
    for (let step = this.#recordedSteps + 1; step <= upTo; step++) {
      const path = this.#tools.files.stepLatentsPath(this.#job, step);
      const facts = statSync(path, { throwIfNoEntry: false });
      if (!facts) return;
      writeStepLatents(this.#tools.database, this.#id, { step, path, bytes: facts.size, createdAt: Date.now() });
      this.#recordedSteps = step;
    }
  }

  #recordLatents(): void {
    const path = this.#tools.files.latentsPath(this.#job);
    if (this.#job.latentsPath !== null || this.#job.kind === "decode" || !existsSync(path)) return;
    writeLatentsPath(this.#tools.database, this.#id, path);
    this.#job = { ...this.#job, latentsPath: path };
  }

  #advance(stage: JobStage, fraction: number, step: number, steps: number): void {
    // Not the time of day, which people and networks set back.
    const now = performance.now();
    this.#stages.at(stage, now);
    this.#progress = this.#meter.at(stage, fraction, step, steps, now);
    this.#unwrittenProgress = true;
    this.#tools.emit({ kind: "progress", jobId: this.#id, progress: this.#progress });
  }

  #log(level: JobLogLine["level"], line: string): void {
    this.#unwrittenLog.push({ at: Date.now(), level, line });
    this.#tools.emit({ kind: "log", jobId: this.#id, level, line });
  }

  /** Writes what has come in, and reads what people want of the job. */
  #tick(): void {
    try {
      this.#flush();
    } catch (error) {
      this.end(asRushesError(error));
    }
    this.heed();
  }

  /** Reads what people want of the job, and does it. */
  heed(): void {
    try {
      const { mine, cancel, keep, pause } = readOrders(this.#tools.database, this.#id, this.#tools.runner);
      if (!mine) this.end("lost");
      else if (cancel) this.end("cancel");
      else this.#heedPause(pause);
      if (keep) this.#keep.abort();
    } catch (error) {
      this.end(asRushesError(error));
    }
  }

  /** A pause ends the run where nothing is lost by it: sampling after the current step, saving not at all. */
  #heedPause(pause: boolean): void {
    if (!pause) {
      this.#pausing = null;
      return;
    }
    const now = performance.now();
    const steps = this.#recordedSteps;
    const { since, steps: before } = (this.#pausing ??= { since: now, steps });
    const stage = this.#stages.current;
    if (stage === "save") return;
    if (stage !== "sample" || steps > before || now - since > pausePatience) this.end("pause");
  }

  #flush(): void {
    const { database } = this.#tools;
    const lines = this.#unwrittenLog;
    this.#unwrittenLog = [];
    if (lines.length > 0) writeLog(database, this.#id, lines);
    if (this.#unwrittenProgress && this.#progress) writeProgress(database, this.#id, this.#progress);
    this.#unwrittenProgress = false;
  }

  #writeReport(report: GenerateReport): void {
    const { database } = this.#tools;
    this.#recordSteps(report.settings.numSteps);
    this.#recordLatents();
    // A budget that the program set for an attempt is none of the job's settings.
    const { memoryBudget } = this.#job.settings;
    updateSettings(database, this.#id, { ...this.#job.settings, ...report.settings, memoryBudget });
    const { int8, keptStep } = report;
    if (int8) writeInt8Names(database, this.#id, int8.names);
    if (keptStep !== null) writeKeptStep(database, this.#id, keptStep);
    writeFacts(database, this.#id, {
      warnings: [...new Set([...this.#job.warnings, ...report.warnings])],
      int8: int8 && { layers: int8.layers, bytes16: int8.bytes16, bytes: int8.bytes },
      plannedSeconds: report.plan.seconds,
      plannedPeakBytes: report.plan.peakBytes,
      deviceName: report.plan.device?.name ?? null,
    });
    this.#writeStages(report);
  }

  #writeStages(report: GenerateReport | null): void {
    writeStages(this.#tools.database, this.#id, this.#job.attempts, this.#stages.records(report));
  }

  async #failed(failure: RushesError): Promise<void> {
    const { error, lowered, fix } = await this.#afterFullMemory(failure);
    const reason: unknown = this.#controller.signal.aborted ? this.#controller.signal.reason : null;
    if (reason === "lost") return;
    try {
      if (lowered) this.#writeLowered(lowered);
      if (this.#stages.current !== null && this.#read().video === null) this.#writeStages(null);
      this.#flush();
    } catch {
      // That the job failed is written down all the same, below; it needs less room.
    }
    if (reason === "stop") return this.#move("queued", "the program was closed");
    if (reason === "pause") return this.#move("queued", "the queue was paused");
    if (reason === "cancel" || (error.code === "job.cancelled" && reason === null)) {
      await discardPending(this.#read());
      return this.#move("cancelled", "");
    }
    const cause = reason instanceof RushesError ? reason : error;
    if (cause === error && lowered) return this.#move("queued", "memory was full; goes on with a lowered plan");
    if (cause.code === "engine.crashed") {
      await this.#keepCrash(cause);
      if (this.#mayContinue()) return this.#move("queued", "the engine's process ended; continues once more");
    }
    await discardPending(this.#read());
    this.#move("failed", "", cause, fix);
  }

  /** Where memory was full: how the job goes on, or what a person may change. Other errors stay as they are. */
  async #afterFullMemory(error: RushesError): Promise<Ending> {
    const plan = this.#plan;
    const asIs = { error, lowered: null, fix: null };
    if (error.code !== "memory.exhausted" || plan === null || this.#controller.signal.aborted) return asIs;
    const { database, engine } = this.#tools;
    try {
      await engine.call("unload", []);
      const job = this.#read();
      const idCount = plannedIds(job, findResumePoint(job, readStepLatents(database, job.id)));
      const full = { error, plan, settings: job.settings, before: job.lowered, decodeOnly: idCount === 0 };
      const after = await lowerPlan(full, (changed) => engine.call("plan", [job.files, changed, idCount]));
      // People may have wanted something else of the job meanwhile.
      this.heed();
      return { ...asIs, ...after };
    } catch {
      return asIs;
    }
  }

  #writeLowered(lowered: LoweredPlan): void {
    this.#log("warning", loweredSentence(lowered, formatMemory));
    writeLowered(this.#tools.database, this.#id, lowered);
  }

  /** An engine that died is asked once more, if work done is lost otherwise. */
  #mayContinue(): boolean {
    const { database } = this.#tools;
    const crashes = writeCrash(database, this.#id);
    return crashes === 1 && findResumePoint(this.#read(), readStepLatents(database, this.#id)).kind !== "start";
  }

  async #keepCrash(error: RushesError): Promise<void> {
    const lines = `${new Date().toISOString()} job ${this.#id}: ${error.detail}\n`;
    await appendFile(join(this.#tools.files.logs, "engine.log"), lines).catch(() => {});
  }

  #move(to: JobState, note: string, error?: RushesError, fix: PlanFix | null = null): void {
    const { database, runner } = this.#tools;
    const move = { to, note, runner, fix, ...(error ? { error: error.toJSON() } : {}) };
    const moved = writeWithReserve(database, () => moveJob(database, this.#id, move));
    if (moved) this.#emitState(to, note);
  }

  #emitState(state: JobState, note: string): void {
    this.#tools.emit({ kind: "state", jobId: this.#id, state, note });
  }

  #read(): Job {
    const job = readJob(this.#tools.database, this.#id);
    if (!job) throw unknownJob(this.#id);
    return job;
  }
}

/** The prompt's length to plan with; 0 where only the decode is left. */
function plannedIds({ tokenCount }: Job, point: ResumePoint): number {
  return point.kind === "latents" ? 0 : tokenCount;
}
