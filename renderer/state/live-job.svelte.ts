// The job that runs now, as the player shows it: stages as wide as they are planned, seconds gone and expected, the noise
// level of the step, the latest picture, and what is announced of it. The queue itself is jobs.svelte.ts.
import type { Job, JobProgress, JobStage } from "../../contract/job.ts";
import { expertsOf, noiseLevels } from "../../contract/settings/noise-levels.ts";
import { request } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { announcer } from "./announcer.svelte.ts";
import { connection } from "./connection.svelte.ts";
import { jobs, type LivePreview } from "./jobs.svelte.ts";
import { models } from "./models.svelte.ts";

export interface LiveStage {
  readonly id: JobStage;
  /** Share of the whole, 0..1. */
  readonly weight: number;
  /** 0..1 */
  readonly fraction: number;
  readonly state: "waiting" | "running" | "done";
}

const order: readonly JobStage[] = ["text", "image", "load", "sample", "decode", "save"];
/** Shares of a job that has not said its own yet; "image" only where it begins with a picture. */
const typicalShares: Readonly<Record<JobStage, number>> = {
  text: 0.05,
  image: 0.05,
  load: 0.1,
  sample: 0.6,
  decode: 0.22,
  save: 0.03,
};
/** How much of a new estimate is believed at once: an estimate that jumps helps nobody. */
const belief = 0.35;
/** Milliseconds between two looks at the clock. */
const tick = 100;

/** What is shown of a job that is done until its video is. */
const ended: JobProgress = { stage: "save", fraction: 1, step: 0, steps: 0, overall: 1, etaSeconds: 0 };

class CurrentJob {
  /** The clock, as far as the seconds shown need it. */
  #now = $state(Date.now());
  /** Whole seconds the job will have taken; smoothed. */
  #total = $state<{ readonly jobId: number; readonly seconds: number } | null>(null);
  #asked = $state.raw<{ readonly jobId: number; readonly what: "cancel" | "keep" } | null>(null);
  #spoken = "";

  /** The job that has just ended, shown until its result can be. */
  #held = $state.raw<Job | null>(null);
  /** Somebody is there who will show that result. */
  #viewed = false;

  #job = $derived<Job | null>(jobs.running ?? this.#held);
  #progress = $derived<JobProgress | null>(
    this.#job === null ? null : this.#job === this.#held ? ended : jobs.progressOf(this.#job),
  );

  get job(): Job | null {
    return this.#job;
  }

  get progress(): JobProgress | null {
    return this.#progress;
  }

  get preview(): LivePreview | null {
    return this.#job === null ? null : (jobs.live(this.#job.id)?.preview ?? null);
  }

  /** What the user asked of it and what has not happened yet. */
  get asked(): "cancel" | "keep" | null {
    return this.#asked !== null && this.#asked.jobId === this.#job?.id ? this.#asked.what : null;
  }

  /** Seconds since it began to run. */
  get elapsed(): number {
    const from = this.#job?.startedAt;
    return from ? Math.max(0, (this.#now - from) / 1000) : 0;
  }

  /** Seconds it will have taken in all, or null while nothing is known. */
  get total(): number | null {
    const job = this.#job;
    if (job === null) return null;
    const told = this.#total?.jobId === job.id ? this.#total.seconds : (job.expectedSeconds ?? job.plannedSeconds);
    return told === null ? null : Math.max(told, this.elapsed);
  }

  get remaining(): number | null {
    return this.total === null ? null : Math.max(0, this.total - this.elapsed);
  }

  get stages(): readonly LiveStage[] {
    const progress = this.#progress;
    const picture = this.#job?.mode === "i2v";
    const shares = progress?.shares ?? { ...typicalShares, image: picture ? typicalShares.image : 0 };
    const at = progress ? order.indexOf(progress.stage) : -1;
    return order
      .filter((stage) => (shares[stage] ?? 0) > 0)
      .map((id) => {
        const place = order.indexOf(id);
        const state = place < at ? "done" : place === at ? "running" : "waiting";
        return { id, weight: shares[id] ?? 0, fraction: state === "running" ? (progress?.fraction ?? 0) : 0, state };
      });
  }

  /** Noise level before the step under way; null outside sampling and for models whose schedule is their own. */
  get noise(): number | null {
    return this.#step === null ? null : (this.#levels[this.#step] ?? null);
  }

  /** The expert of a two-expert model that runs the step; null for other models. */
  get expert(): "high" | "low" | null {
    const job = this.#job;
    if (this.#step === null || job === null || !models.can(job.model, "twoExperts")) return null;
    return expertsOf(this.#levels, job.settings.boundary)[this.#step] ?? null;
  }

  /** From 0; null outside sampling. */
  get #step(): number | null {
    const { step = 0, stage } = this.#progress ?? {};
    return stage === "sample" && step >= 1 ? step - 1 : null;
  }

  get #levels(): number[] {
    return this.#job === null ? [] : noiseLevels(this.#job.settings.numSteps, this.#job.settings.sigmaMax);
  }

  /** A viewer is there that shows a job until its result is (release). Without one a job that is done is gone at once. Gives
   * the way to end that. */
  view(): () => void {
    this.#viewed = true;
    return () => {
      this.#viewed = false;
      this.release();
    };
  }

  /** The result of the job that has just ended is there, or is not to be shown. */
  release(): void {
    this.#held = null;
  }

  /** Follows the studio and the clock; called once. Returns the way to stop. */
  start(): () => void {
    const clock = setInterval(() => {
      if (this.#job !== null && document.visibilityState === "visible") this.#now = Date.now();
    }, tick);
    const stops = [
      connection.on("job:progressed", ({ jobId, progress }) => this.#hear(jobId, progress)),
      connection.on("job:changed", ({ jobId, state }) => this.#end(jobId, state)),
    ];
    return () => {
      clearInterval(clock);
      for (const stop of stops) stop();
    };
  }

  /** Ends it within a second; nothing of it is kept but its finished steps. */
  cancel(): Promise<void> {
    return this.#ask("cancel", "queue:cancel");
  }

  /** Ends sampling and decodes the latest estimate. */
  keep(): Promise<void> {
    return this.#ask("keep", "queue:keep");
  }

  async #ask(what: "cancel" | "keep", channel: "queue:cancel" | "queue:keep"): Promise<void> {
    const job = this.#job;
    if (job === null) return;
    this.#asked = { jobId: job.id, what };
    try {
      await request(channel, { jobId: job.id });
    } catch (error) {
      this.#asked = null;
      throw error;
    }
  }

  #hear(jobId: number, progress: JobProgress): void {
    this.#now = Date.now();
    const job = this.#job;
    if (job === null || job.id !== jobId) return;
    if (progress.etaSeconds !== null) {
      const seconds = this.elapsed + progress.etaSeconds;
      const before =
        this.#total?.jobId === jobId ? this.#total.seconds : (job.expectedSeconds ?? job.plannedSeconds ?? seconds);
      this.#total = { jobId, seconds: before + belief * (seconds - before) };
    }
    this.#announce(jobId, progress);
  }

  /** Each stage and each step once, with the time left: never every percent. */
  #announce(jobId: number, { stage, step, steps }: JobProgress): void {
    const spoken = `${jobId} ${stage} ${step}`;
    if (spoken === this.#spoken) return;
    this.#spoken = spoken;
    const words = text.words;
    const what = stage === "sample" && step > 0 ? words.generate.stepOf(step, steps) : words.app.stages[stage];
    const left = this.remaining;
    announcer.sayRarely("stage", words.app.stageAnnounced(what, left === null ? null : text.seconds(Math.round(left))));
  }

  #end(jobId: number, state: string): void {
    if (this.#asked?.jobId === jobId && state !== "running") this.#asked = null;
    if (state === "running") this.#held = null;
    else if (state === "done" && this.#viewed && jobs.running?.id === jobId) this.#held = jobs.running;
    const words = text.words.generate;
    if (state === "done") announcer.say(words.finishedSaid);
    else if (state === "failed") announcer.say(words.failedSaid);
    else if (state === "cancelled") announcer.say(words.cancelledSaid);
  }
}

/** The running job of this window's studio. */
export const liveJob = new CurrentJob();
