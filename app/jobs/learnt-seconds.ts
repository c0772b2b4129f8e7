// What this machine's own history says of the engine's predictions: for jobs like one that is planned, how much longer or
// shorter each stage took than it was planned. The engine's own figures are recorded unchanged; only what is shown to
// people before and during a job is corrected.
import type { EngineSettings } from "../../contract/settings/derive.ts";
import type { Plan, StageName, StageReport } from "../engine/addon.ts";
import type { HistoryDatabase } from "../history/database.ts";

/** Jobs that look back further tell of older versions and drivers. */
const lookedAtJobs = 8;
/** Measured below this share of the plan, a prompt was encoded or a model loaded already: nothing to learn from. */
const skippedShare = 0.05;
/** No machine is further from the plan than this factor; beyond it the plan itself is wrong. */
const largestFactor = 50;

/** What decides how fast a stage runs on one machine, as the engine resolved it. */
export type AlikeJobs = Pick<EngineSettings, "attentionType" | "quantLinear" | "device" | "threads"> & {
  model: string;
};

export interface MeasuredStage {
  stage: string;
  seconds: number;
  plannedSeconds: number | null;
}

/** Measured / planned seconds by stage; a stage that nothing is known of is absent. */
export type StageFactors = Partial<Record<StageName, number>>;

export interface LearntPlan {
  stages: StageReport[];
  seconds: number;
  /** At least one stage was corrected. */
  learnt: boolean;
}

/** The plan's seconds as this machine's finished jobs correct them. */
export function learntPlan(database: HistoryDatabase, model: string, plan: Plan): LearntPlan {
  const { attentionType, quantLinear, device, threads } = plan.settings;
  return correctedPlan(
    plan,
    factorsOf(measuredStages(database, { model, attentionType, quantLinear, device, threads })),
  );
}

export function correctedPlan({ stages }: Pick<Plan, "stages">, factors: StageFactors): LearntPlan {
  const corrected = stages.map((stage) => ({ ...stage, seconds: stage.seconds * (factors[stage.stage] ?? 1) }));
  return {
    stages: corrected,
    seconds: corrected.reduce((sum, { seconds }) => sum + seconds, 0),
    learnt: stages.some(({ stage }) => factors[stage] !== undefined),
  };
}

/** The median factor of each stage. */
export function factorsOf(measured: readonly MeasuredStage[]): StageFactors {
  const factors: StageFactors = {};
  for (const stage of ["text", "image", "load", "sample", "decode"] as const) {
    const shares = measured
      .filter((each) => each.stage === stage && each.plannedSeconds !== null && each.plannedSeconds > 0)
      .map(({ seconds, plannedSeconds }) => seconds / (plannedSeconds ?? 1))
      .filter((share) => share > skippedShare || (stage !== "text" && stage !== "load"));
    const factor = median(shares);
    if (factor !== null) factors[stage] = Math.min(largestFactor, Math.max(1 / largestFactor, factor));
  }
  return factors;
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

/** Whole jobs only: one that was continued or kept did not do what was planned. */
export const alikeStatement = `
  SELECT job_stages.stage AS stage, job_stages.seconds AS seconds, job_stages.planned_seconds AS plannedSeconds
  FROM (
    SELECT id, attempts FROM jobs
    WHERE state = 'done' AND kind = 'generate' AND resumed_from_step = 0 AND kept_step IS NULL
      AND model = @model AND attention_type = @attentionType AND quant_linear = @quantLinear
      AND json_extract(settings, '$.device') = @device AND json_extract(settings, '$.threads') = @threads
    ORDER BY id DESC LIMIT ${lookedAtJobs}
  ) AS alike
  CROSS JOIN job_stages ON job_stages.job_id = alike.id AND job_stages.attempt = alike.attempts`;

export function measuredStages(database: HistoryDatabase, alike: AlikeJobs): MeasuredStage[] {
  return database.prepare(alikeStatement).all(alike) as MeasuredStage[];
}
