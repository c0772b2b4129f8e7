// How a running job looks: one line drawn over on a terminal, one plain line for each stage and step elsewhere.
import type { JobProgress, JobStage } from "../../contract/job.ts";
import { formatClock } from "./format.ts";
import type { Output } from "./output.ts";

const stageNames: Record<JobStage, string> = {
  text: "Reading the prompt",
  image: "Reading the picture",
  load: "Loading the model",
  sample: "Sampling",
  decode: "Decoding",
  save: "Saving",
};

export function stageName(stage: JobStage): string {
  return stageNames[stage];
}

/** One of these per job. `heading` stands before the stage when several jobs run ("2/5"). */
export class JobProgressView {
  readonly #output: Output;
  readonly #heading: string;
  readonly #startedAt = performance.now();
  #lastLine = "";

  constructor(output: Output, heading = "") {
    this.#output = output;
    this.#heading = heading;
  }

  show(progress: JobProgress): void {
    if (this.#output.json) return;
    const elapsed = (performance.now() - this.#startedAt) / 1000;
    if (this.#output.hasStatusLine) {
      this.#output.status(barLine(progress, elapsed, this.#heading));
      return;
    }
    const line = `${this.#heading}${plainLine(progress)}`;
    if (line !== this.#lastLine) this.#output.note(line);
    this.#lastLine = line;
  }

  end(): void {
    this.#output.clearStatus();
  }
}

/** "Sampling  step 2/4  [########------------]  43%  0:07  ETA 0:09" */
export function barLine(progress: JobProgress, elapsedSeconds: number, heading = ""): string {
  const { stage, step, steps, overall, etaSeconds } = progress;
  const width = 20;
  const share = Math.min(1, Math.max(0, overall));
  const filled = Math.round(share * width);
  const parts = [
    `${heading}${stageName(stage)}`,
    ...(step > 0 ? [`step ${step}/${steps}`] : []),
    `[${"#".repeat(filled)}${"-".repeat(width - filled)}]`,
    `${String(Math.floor(share * 100)).padStart(3)}%`,
    formatClock(elapsedSeconds),
    ...(etaSeconds === null ? [] : [`ETA ${formatClock(etaSeconds)}`]),
  ];
  return parts.join("  ");
}

/** The same without what changes all the time: a log gets a line for each stage and step. */
function plainLine({ stage, step, steps }: JobProgress): string {
  return step > 0 ? `${stageName(stage)}, step ${step}/${steps}` : stageName(stage);
}
