// From the engine's progress within a stage to the progress of the whole job, and the time that is left.
import type { JobProgress, JobStage } from "../../contract/job.ts";
import type { StageReport } from "../engine/addon.ts";

const order: readonly JobStage[] = ["text", "image", "load", "sample", "decode", "save"];
/** Share of the whole for stages that nothing was planned for. */
const unplannedSeconds = 0.05;
/** A stage that took less than this share of its plan had nothing to do: its model was warm, its prompt was known. */
const skippedShare = 0.05;

export class ProgressMeter {
  readonly #weights: Record<JobStage, number>;
  readonly #skipped: ReadonlySet<JobStage>;
  readonly #shares: NonNullable<JobProgress["shares"]>;
  readonly #startedAt: number;
  /** Share of the sampling that an earlier attempt did. */
  readonly #sampledBefore: number;
  #overall = 0;
  /** The furthest stage that was heard of, and since when. */
  #stage: JobStage = "text";
  #stageSince: number;
  /** Planned seconds that count as done and took no time: they say nothing of how long the rest takes. */
  #free = 0;

  /** `skipped` are stages that this attempt does not run; one without a picture has no "image" in its plan. Times are milliseconds of a clock that never goes back. */
  constructor(
    planned: readonly StageReport[] | null,
    skipped: readonly JobStage[],
    startedAt: number,
    sampledBefore = 0,
  ) {
    const encodesPicture = planned?.some(({ stage }) => stage === "image") ?? false;
    this.#skipped = new Set<JobStage>(encodesPicture ? skipped : [...skipped, "image"]);
    this.#startedAt = this.#stageSince = startedAt;
    this.#sampledBefore = sampledBefore;
    const seconds = (stage: JobStage) => planned?.find((report) => report.stage === stage)?.seconds ?? 0;
    const weight = (stage: JobStage) => (this.#skipped.has(stage) ? 0 : Math.max(seconds(stage), unplannedSeconds));
    this.#weights = Object.fromEntries(order.map((stage) => [stage, weight(stage)])) as Record<JobStage, number>;
    const total = order.reduce((sum, stage) => sum + this.#weights[stage], 0);
    const share = (stage: JobStage) => Math.round((this.#weights[stage] / total) * 1e4) / 1e4;
    this.#shares = Object.fromEntries(
      order.filter((stage) => !this.#skipped.has(stage)).map((stage) => [stage, share(stage)]),
    );
  }

  at(stage: JobStage, fraction: number, step: number, steps: number, now: number): JobProgress {
    const total = order.reduce((sum, each) => sum + this.#weights[each], 0);
    const before = order.slice(0, order.indexOf(stage)).reduce((sum, each) => sum + this.#weights[each], 0);
    const share = Math.min(1, Math.max(0, fraction));
    // Stages may be reported again (weights read during sampling); the whole never moves back.
    this.#overall = Math.max(this.#overall, (before + share * this.#weights[stage]) / total);
    const overall = this.#overall;
    this.#pass(stage, now);
    // The plan speaks at the beginning, the clock soon after.
    const worked = Math.max(0, overall * total - this.#free);
    const elapsed = (now - this.#startedAt) / 1000;
    const pace = worked > 0 ? elapsed / worked : 1;
    const trust = Math.min(1, worked / total / 0.2);
    const left = Math.max(0, total * (1 - overall));
    const etaSeconds = left * (trust * pace + 1 - trust);
    return { stage, fraction: share, step, steps, overall, etaSeconds, shares: this.#shares };
  }

  /** Notes what took no time of the stages that are over, several of which may not have been heard of. */
  #pass(stage: JobStage, now: number): void {
    const from = order.indexOf(this.#stage);
    const to = order.indexOf(stage);
    if (to <= from) return;
    const passed = order.slice(from, to).map((each) => this.#toDo(each));
    const planned = passed.reduce((sum, seconds) => sum + seconds, 0);
    if ((now - this.#stageSince) / 1000 < skippedShare * planned) this.#free += planned;
    if (from < order.indexOf("sample") && to >= order.indexOf("sample"))
      this.#free += this.#weights.sample * this.#sampledBefore;
    this.#stage = stage;
    this.#stageSince = now;
  }

  /** Planned seconds of a stage that this attempt has to do. */
  #toDo(stage: JobStage): number {
    return this.#weights[stage] * (stage === "sample" ? 1 - this.#sampledBefore : 1);
  }
}
