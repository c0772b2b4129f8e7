// From the engine's progress within a stage to the progress of the whole job, and the time that is left.
import type { JobProgress, JobStage } from "../../contract/job.ts";
import type { StageReport } from "../engine/addon.ts";

const order: readonly JobStage[] = ["text", "load", "sample", "decode", "save"];
/** Share of the whole for stages that nothing was planned for. */
const unplannedSeconds = 0.05;

export class ProgressMeter {
  readonly #weights: Record<JobStage, number>;
  readonly #skipped: ReadonlySet<JobStage>;
  readonly #shares: NonNullable<JobProgress["shares"]>;
  readonly #startedAt: number;
  #overall = 0;

  /** `skipped` are stages that this attempt does not run. */
  constructor(planned: readonly StageReport[] | null, skipped: readonly JobStage[], startedAt: number) {
    this.#skipped = new Set(skipped);
    this.#startedAt = startedAt;
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
    const elapsed = (now - this.#startedAt) / 1000;
    const overall = this.#overall;
    // The plan speaks at the beginning, the clock soon after.
    const measured = overall > 0 ? (elapsed * (1 - overall)) / overall : total;
    const planned = Math.max(0, total * (1 - overall));
    const trust = Math.min(1, overall / 0.2);
    const etaSeconds = overall >= 1 ? 0 : trust * measured + (1 - trust) * planned;
    return { stage, fraction: share, step, steps, overall, etaSeconds, shares: this.#shares };
  }
}
