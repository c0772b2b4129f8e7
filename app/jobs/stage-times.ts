// What each stage of one attempt took: the engine's own figures where it gave them, else the times seen from here.
import type { JobStage, JobStageRecord } from "../../contract/job.ts";
import type { GenerateReport, Plan, StageReport } from "../engine/addon.ts";

export class StageTimes {
  readonly #seen: { stage: JobStage; from: number; to: number }[] = [];
  readonly #reported = new Map<JobStage, StageReport>();
  #planned = new Map<JobStage, StageReport>();

  /** The stage that was last heard of. */
  get current(): JobStage | null {
    return this.#seen.at(-1)?.stage ?? null;
  }

  planned({ stages }: Plan): void {
    this.#planned = new Map(stages.map((stage) => [stage.stage, stage]));
  }

  /** Something was heard of a stage. */
  at(stage: JobStage, now: number): void {
    const last = this.#seen.at(-1);
    if (last) last.to = now;
    if (last?.stage !== stage) this.#seen.push({ stage, from: now, to: now });
  }

  /** The engine says what a stage took, also one that failed on the way. */
  reported({ stage, seconds, peakBytes, deviceBytes = null }: StageReport): void {
    this.#reported.set(stage, { stage, seconds, peakBytes, deviceBytes });
  }

  /** Everything known, in the order of the stages; with the engine's final report once there is one. */
  records(report: GenerateReport | null): Omit<JobStageRecord, "attempt">[] {
    const seen = this.#seen.map(({ stage, from, to }) => ({
      stage,
      seconds: (to - from) / 1000,
      peakBytes: null,
      deviceBytes: null,
    }));
    const measured = report?.stages ?? [
      ...this.#reported.values(),
      ...seen.filter(({ stage }) => stage !== "save" && !this.#reported.has(stage)),
    ];
    return [...measured, ...seen.filter(({ stage }) => stage === "save")].map((one) => ({
      stage: one.stage,
      seconds: one.seconds,
      peakBytes: one.peakBytes,
      deviceBytes: one.deviceBytes ?? null,
      plannedSeconds: this.#planned.get(one.stage)?.seconds ?? null,
      plannedBytes: this.#planned.get(one.stage)?.peakBytes ?? null,
      plannedDeviceBytes: this.#planned.get(one.stage)?.deviceBytes ?? null,
    }));
  }
}
