// The steps of a run as the strip under the form shows them: noise levels live while Sigma Max and Steps move, the expert
// that runs each, and the one that runs now. How the strip looks is views/generate/StepStrip.svelte.
import { expertsOf, noiseLevels } from "../../contract/settings/noise-levels.ts";
import { form } from "./form.svelte.ts";
import { liveJob } from "./live-job.svelte.ts";

export interface StripStep {
  /** Counts from 1. */
  readonly number: number;
  /** 1 (all noise) to 0. */
  readonly noise: number;
  /** null for models with one expert. */
  readonly expert: "high" | "low" | null;
  readonly state: "waiting" | "running" | "done";
}

class StepStrip {
  #levels = $derived.by<readonly number[]>(() => {
    const check = form.check;
    // The schedule of a distilled model is known here, so that nothing is asked while a slider moves.
    if (check?.hidden.includes("sigmaMax")) return check.noiseLevels;
    const sigmaMax = form.value("sigmaMax");
    const numSteps = form.value("numSteps");
    return sigmaMax === undefined || numSteps === undefined ? [] : noiseLevels(numSteps, sigmaMax);
  });

  #steps = $derived.by<readonly StripStep[]>(() => {
    const boundary = form.check?.hidden.includes("boundary") ? null : (form.value("boundary") ?? null);
    const experts = boundary === null ? null : expertsOf(this.#levels, boundary);
    const now = this.#runningStep();
    return this.#levels.map((noise, index) => ({
      number: index + 1,
      noise,
      expert: experts?.[index] ?? null,
      state: now === null || index + 1 > now ? "waiting" : index + 1 === now ? "running" : "done",
    }));
  });

  get steps(): readonly StripStep[] {
    return this.#steps;
  }

  /** The step under way, where the running job has the form's own steps; the strip of another schedule marks nothing. */
  #runningStep(): number | null {
    const { job, progress } = liveJob;
    if (!job || !progress || progress.stage !== "sample") return null;
    const same = job.settings.numSteps === form.value("numSteps") && job.settings.sigmaMax === form.value("sigmaMax");
    return same ? progress.step : null;
  }
}

export const stepStrip = new StepStrip();
