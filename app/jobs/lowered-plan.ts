// What becomes of a job for which memory was too small: the mildest plan that needs less and changes nothing of the picture,
// or, where there is none, the error with the smallest change that a person may choose.
import { RushesError } from "../../contract/errors.ts";
import type { LoweredPlan, PlanChange } from "../../contract/lowered-plan.ts";
import { type EngineSettings, engineSettings, type Settings } from "../../contract/settings/derive.ts";
import type { PlanFix } from "../../contract/plan-fix.ts";
import type { Plan } from "../engine/addon.ts";

const gibibyte = 2 ** 30;

/** Changes of settings that a job may be given unasked: they cost time, or what no eye sees. Size, length, steps and the
 * transformer's weights are for people to decide. */
const unasked: ReadonlySet<PlanFix["id"]> = new Set(["tileDecode", "int8TextEncoder"]);

/** An attempt that memory was too small for. */
export interface FullMemory {
  readonly error: RushesError;
  /** What the attempt was planned as. */
  readonly plan: Plan;
  /** The job's own. */
  readonly settings: Settings;
  /** What it was lowered to before; null for the first time. */
  readonly before: LoweredPlan | null;
  /** The latents are there: what the earlier stages need no longer matters. */
  readonly decodeOnly: boolean;
}

/** Either how the job goes on, or why it cannot and what would help. */
export type Lowering =
  { readonly lowered: LoweredPlan } | { readonly error: RushesError; readonly fix: PlanFix | null };

/** Plans the same job; nothing else holds memory of the engine then. */
export type AskPlan = (settings: Partial<EngineSettings>) => Promise<Plan>;

/** The engine's settings of an attempt. */
export function attemptSettings(settings: Settings, lowered: LoweredPlan | null): Partial<EngineSettings> {
  if (lowered === null) return engineSettings(settings);
  return engineSettings({ ...settings, ...lowered.values, memoryBudget: lowered.limitBytes / gibibyte });
}

/** Every plan needs less than the last one did, so that a job is lowered as often as there are plans and no more. */
export async function lowerPlan(full: FullMemory, ask: AskPlan): Promise<Lowering> {
  const { error, plan, settings, before } = full;
  const limitBytes = await limitOf(full, ask);
  const loweredTo = (values: Partial<Settings>, changes: PlanChange[]): LoweredPlan => ({
    changes,
    neededBytes: error.neededBytes ?? bytesOf(full),
    freeBytes: error.freeBytes ?? limitBytes,
    deviceName: plan.device?.name ?? null,
    limitBytes,
    values,
  });
  const planWith = (values: Partial<Settings>) => ask(attemptSettings(settings, loweredTo(values, [])));
  const kept = before?.values ?? {};
  const next = await planWith(kept);
  if (next.fits) return { lowered: loweredTo(kept, changesOf(plan, next)) };
  for (const { id, settings: changed } of next.fixes) {
    const values = { ...kept, ...changed };
    if (!unasked.has(id)) continue;
    const fixed = await planWith(values);
    if (fixed.fits) return { lowered: loweredTo(values, changesOf(plan, fixed)) };
  }
  return refusal(error, next, settings);
}

/** What the next attempt may plan with: less than the last one's plan, and no more than is free. */
async function limitOf(full: FullMemory, ask: AskPlan): Promise<number> {
  const { error, plan, settings, before } = full;
  const limits = [bytesOf(full) - 1];
  if (error.freeBytes) limits.push(error.freeBytes);
  if (before) limits.push(before.limitBytes);
  // A budget of the user's own counts in place of what is free in the computer's memory.
  if (settings.memoryBudget > 0) limits.push(settings.memoryBudget * gibibyte);
  else if (!plan.device) {
    const { freeBytes } = await ask(attemptSettings(settings, null));
    if (freeBytes > 0) limits.push(freeBytes);
  }
  return Math.max(1, Math.min(...limits));
}

/** Bytes of the memory that a budget limits: the card's, where the job runs on one. */
function bytesOf({ plan: { device, peakBytes, stages }, decodeOnly }: FullMemory): number {
  const decode = decodeOnly ? stages.find(({ stage }) => stage === "decode") : undefined;
  if (device) return decode?.deviceBytes ?? device.peakBytes;
  return decode?.peakBytes ?? peakBytes;
}

function changesOf(from: Plan, to: Plan): PlanChange[] {
  const changes: PlanChange[] = [];
  if (from.resident && !to.resident) changes.push("partByPart");
  if (!from.device?.streamed && to.device?.streamed) changes.push("streamWeights");
  if (from.settings.vaeTiling !== "on" && to.settings.vaeTiling === "on") changes.push("tileDecode");
  if (from.settings.textEncoderFormat !== "int8" && to.settings.textEncoderFormat === "int8")
    changes.push("int8TextEncoder");
  return changes.length > 0 ? changes : ["keepLess"];
}

/** The engine's own sentence says what was needed and free; its advice becomes the smallest change that was planned to fit. */
function refusal(error: RushesError, plan: Plan, settings: Settings): Lowering {
  // The limit is this program's: lifting it is advice only where the user has set one.
  const fix = plan.fixes.find(({ id }) => id !== "removeBudget" || settings.memoryBudget > 0);
  if (!fix) return { error, fix: null };
  const { id, settings: values, peakBytes } = fix;
  const { code, message: sentence, detail, neededBytes, freeBytes } = error;
  const details = { sentence, advice: plan.advice, detail, neededBytes, freeBytes, cause: error };
  return { error: new RushesError(code, details), fix: { id, values, peakBytes } };
}
