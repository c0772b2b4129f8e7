// One attempt at one job: asks the engine, hears what it says and what people want of the job, saves the video, and says how
// the attempt ended. What is written down meanwhile is attempt-record.ts.
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { Job, JobState } from "../../contract/job.ts";
import type { LoweredPlan } from "../../contract/lowered-plan.ts";
import type { PlanFix } from "../../contract/plan-fix.ts";
import type { EngineSettings } from "../../contract/settings/derive.ts";
import type { EngineEvent, GenerateReport } from "../engine/addon.ts";
import type { EngineClient } from "../engine/client.ts";
import type { CallEvent } from "../engine/messages.ts";
import { readStepLatents, readTokenIds } from "../history/reads/jobs.ts";
import { writeWithReserve } from "../history/reserve.ts";
import { moveJob } from "../history/writes/jobs.ts";
import { readOrders, writeCrash } from "../history/writes/runs.ts";
import type { VideoPacket } from "../media/mp4.ts";
import type { Picture } from "../media/poster.ts";
import { contentName, embeddingName, fingerprint } from "../models/fingerprint.ts";
import { AttemptRecord, type RecordTools } from "./attempt-record.ts";
import { attemptSettings, lowerPlan } from "./lowered-plan.ts";
import { markEmbeddingUsed, settledFormat } from "./embedding-cache.ts";
import { firstFrame } from "./first-frame.ts";
import { lorasOfJob } from "./lora-paths.ts";
import { findResumePoint, type ResumePoint } from "./resume-point.ts";
import { adoptVideo, discardPending, saveVideo } from "./save-video.ts";

/** What a run works with. */
export interface RunTools extends RecordTools {
  engine: EngineClient;
  /** The lease's token. */
  runner: string;
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
  readonly #record: AttemptRecord;
  /** Since when the queue is paused, and the steps that were done then. */
  #pausing: { since: number; steps: number } | null = null;
  /** Of the model's files and LoRAs, as this attempt finds them. */
  #weights = "";
  #packets: VideoPacket[] = [];
  #poster: Picture | null = null;

  constructor(tools: RunTools, id: number) {
    this.#tools = tools;
    this.#id = id;
    this.#record = new AttemptRecord(tools, id);
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
      if (!(await adoptVideo(database, this.#record.job))) await this.#make();
      this.#record.flush();
      this.#move("done", "");
    } catch (error) {
      await this.#failed(asRushesError(error));
    } finally {
      clearInterval(ticks);
    }
  }

  async #make(): Promise<void> {
    const { database, files } = this.#tools;
    const record = this.#record;
    const report = await this.#compute();
    record.computed(report);
    if (this.#packets.length !== report.frames || !this.#poster)
      throw new RushesError("engine.internal", {
        sentence: `The engine gave ${this.#packets.length} encoded frames of ${report.frames}.`,
        advice: this.#packets.length === 0 ? "Run `rushes doctor`: the H.264 encoder may be missing." : undefined,
      });
    record.advance("save", 0, 0, 0);
    const { width, height } = report;
    await saveVideo(database, files, record.job, { packets: this.#packets, poster: this.#poster, width, height });
    record.advance("save", 1, 0, 0);
    record.writeStages(report);
  }

  /** The engine's part: everything, or what an earlier attempt left to do. */
  async #compute(): Promise<GenerateReport> {
    const { database, engine, files } = this.#tools;
    const { job } = this.#record;
    // One may have been deleted since the library was opened, to make room.
    files.make();
    const { tokenizer: _tokenizer, ...modelFiles } = job.files;
    const settings = attemptSettings(job.settings, job.lowered);
    this.#weights = await contentName([
      ...Object.values(modelFiles).filter((file) => typeof file === "string"),
      ...job.settings.loras.map(({ file }) => file),
    ]);
    const point = this.#resumePoint(job);
    await this.#record.resumedAt(point, this.#weights);
    if (job.kind === "decode" && point.kind !== "latents") throw new RushesError("latents.missing");
    const ids = readTokenIds(database, job.id);
    const signal = this.#controller.signal;
    const onEvent = (event: CallEvent) => this.#hear(event);

    // The file writer is read in while the engine works.
    void import("mediabunny");
    // A decode needs none, and is not to fail where one is gone.
    const loras = point.kind === "latents" ? [] : lorasOfJob(job.settings);
    const plan = await engine.call("plan", [modelFiles, settings, plannedIds(job, point), loras], { signal });
    this.#record.started(plan, point);
    if (point.kind === "latents") return engine.call("decode", [modelFiles, point.path, settings], { signal, onEvent });
    const image = await firstFrame(job.settings, signal);
    const encoder = await fingerprint(job.files.textEncoder);
    const pathOf = (resolved: EngineSettings) =>
      files.embeddingPath(embeddingName(ids, encoder, job.files.textLength, resolved));
    const resolved = settledFormat(settings, plan.settings, pathOf);
    const embeddingPath = pathOf(resolved);
    await markEmbeddingUsed(embeddingPath);
    const request = {
      settings: { ...settings, textEncoderFormat: resolved.textEncoderFormat },
      ids,
      embeddingPath,
      latentsPath: files.latentsPath(job),
      stepLatentsPrefix: files.stepLatentsPrefix(job, this.#weights),
      preview: this.#tools.previews(),
      ...(image === null ? {} : { image }),
      ...(loras.length === 0 ? {} : { loras }),
      ...(point.kind === "step" ? { resumePath: point.path, startStep: point.step } : {}),
    };
    return engine.call("generate", [modelFiles, request], { signal, onEvent, keep: this.#keep.signal });
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
        return this.#record.planned(event.plan);
      case "progress":
        return this.#heardProgress(event);
      case "log":
        return this.#record.log(event.level, event.line);
      case "packet": {
        const { data, keyFrame, frame } = event;
        this.#packets.push({ data, keyFrame, frame });
        return;
      }
      case "poster":
        this.#poster = { rgb: event.rgb, width: event.width, height: event.height };
        return;
      case "preview": {
        this.#record.stepsDone(event.step);
        this.#tools.emit({ ...event, jobId: this.#id });
        return;
      }
      case "stage":
        return this.#record.stageDone(event);
      case "line":
        return;
    }
  }

  #heardProgress({ stage, fraction, step, steps }: Extract<EngineEvent, { kind: "progress" }>): void {
    if (stage === "sample") this.#record.stepsDone(step - 1);
    if (stage === "decode") this.#record.samplingDone();
    this.#record.advance(stage, fraction, step, steps);
    if (this.#pausing) this.#heedPause(true);
  }

  /** Writes what has come in, and reads what people want of the job. */
  #tick(): void {
    try {
      this.#record.flush();
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
    const steps = this.#record.recordedSteps;
    const { since, steps: before } = (this.#pausing ??= { since: now, steps });
    const { stage } = this.#record;
    if (stage === "save") return;
    if (stage !== "sample" || steps > before || now - since > pausePatience) this.end("pause");
  }

  async #failed(failure: RushesError): Promise<void> {
    const record = this.#record;
    const { error, lowered, fix } = await this.#afterFullMemory(failure);
    const reason: unknown = this.#controller.signal.aborted ? this.#controller.signal.reason : null;
    if (reason === "lost") return;
    try {
      if (lowered) record.lowered(lowered);
      if (record.stage !== null && record.readNow().video === null) record.writeStages(null);
      record.flush();
    } catch {
      // That the job failed is written down all the same, below; it needs less room.
    }
    if (reason === "stop") return this.#move("queued", "the program was closed");
    if (reason === "pause") return this.#move("queued", "the queue was paused");
    if (reason === "cancel" || (error.code === "job.cancelled" && reason === null)) {
      await discardPending(record.readNow());
      return this.#move("cancelled", "");
    }
    const cause = reason instanceof RushesError ? reason : error;
    if (cause === error && lowered) return this.#move("queued", "memory was full; goes on with a lowered plan");
    if (cause.code === "engine.crashed") {
      await record.crashed(cause);
      if (this.#mayContinue()) return this.#move("queued", "the engine's process ended; continues once more");
    }
    await discardPending(record.readNow());
    this.#move("failed", "", cause, fix);
  }

  /** Where memory was full: how the job goes on, or what a person may change. Other errors stay as they are. */
  async #afterFullMemory(error: RushesError): Promise<Ending> {
    const { plan } = this.#record;
    const asIs = { error, lowered: null, fix: null };
    if (error.code !== "memory.exhausted" || plan === null || this.#controller.signal.aborted) return asIs;
    const { engine } = this.#tools;
    try {
      await engine.call("unload", []);
      const job = this.#record.readNow();
      const idCount = plannedIds(job, this.#resumePoint(job));
      const loras = idCount === 0 ? [] : lorasOfJob(job.settings);
      const full = { error, plan, settings: job.settings, before: job.lowered, decodeOnly: idCount === 0 };
      const after = await lowerPlan(full, (changed) => engine.call("plan", [job.files, changed, idCount, loras]));
      // People may have wanted something else of the job meanwhile.
      this.heed();
      return { ...asIs, ...after };
    } catch {
      return asIs;
    }
  }

  /** An engine that died is asked once more, if work done is lost otherwise. */
  #mayContinue(): boolean {
    const { database } = this.#tools;
    const crashes = writeCrash(database, this.#id);
    return crashes === 1 && this.#resumePoint(this.#record.readNow()).kind !== "start";
  }

  #resumePoint(job: Job): ResumePoint {
    const { database, files } = this.#tools;
    return findResumePoint(job, readStepLatents(database, job.id), files, this.#weights);
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
}

/** The prompt's length to plan with; 0 where only the decode is left. */
function plannedIds({ tokenCount }: Job, point: ResumePoint): number {
  return point.kind === "latents" ? 0 : tokenCount;
}
