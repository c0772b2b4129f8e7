// The plan as a person reads it: seconds as this machine takes them, bytes against what is free, and changes that make a run
// fit. Each change was planned: none is offered that does not fit.
import type { PlanCard } from "../../contract/channels/generate.ts";
import type { PlanFix } from "../../contract/plan-fix.ts";
import type { Settings } from "../../contract/settings/derive.ts";
import { type FrameSize, formatSize, sizeOfResolution } from "../../contract/settings/resolution.ts";
import type { Plan } from "../engine/addon.ts";
import type { Model } from "../models/find-model.ts";
import { learntPlan } from "../jobs/learnt-seconds.ts";
import type { StudioCore } from "./studio-core.ts";

type Ask = (changes: Partial<Settings>) => Promise<Plan>;
type Shaped = (size: FrameSize) => FrameSize;
type Planned = Settings & { width: number; height: number };

/** `ask` plans the same job with other settings; `shaped` is the frame that a size becomes. */
export async function planCard(
  core: StudioCore,
  model: Model,
  settings: Planned,
  plan: Plan,
  ask: Ask,
  shaped: Shaped,
): Promise<PlanCard> {
  const { stages, seconds, learnt } = learntPlan(core.database, model.id, plan);
  return {
    stages: stages.map(({ stage, seconds: taken, peakBytes, deviceBytes = null }) => ({
      stage,
      seconds: taken,
      peakBytes,
      deviceBytes,
    })),
    peakBytes: plan.peakBytes,
    seconds,
    learnt,
    freeBytes: plan.freeBytes,
    budgetBytes: settings.memoryBudget > 0 ? settings.memoryBudget * 2 ** 30 : null,
    device: plan.device
      ? { name: plan.device.name, peakBytes: plan.device.peakBytes, freeBytes: plan.device.freeBytes }
      : null,
    fits: plan.fits,
    fixes: plan.fits ? [] : await fixesOf(model, settings, plan, ask, shaped),
  };
}

/** The engine's own changes, mildest first, with a smaller picture before fewer frames. */
async function fixesOf(model: Model, settings: Planned, plan: Plan, ask: Ask, shaped: Shaped): Promise<PlanFix[]> {
  const fixes = plan.fixes.map(({ id, settings: values, peakBytes }): PlanFix => ({ id, values, peakBytes }));
  const smaller = await smallerSize(model, settings, ask, shaped);
  if (!smaller) return fixes;
  const place = fixes.findIndex(({ id }) => id === "fewerFrames" || id === "removeBudget" || id === "runOnCpu");
  return place < 0 ? [...fixes, smaller] : fixes.toSpliced(place, 0, smaller);
}

/** The largest of the model's smaller sizes that fits. */
async function smallerSize(
  model: Model,
  { aspectRatio, width, height }: Planned,
  ask: Ask,
  shaped: Shaped,
): Promise<PlanFix | null> {
  const area = (size: FrameSize) => size.width * size.height;
  const named = ["480p"].flatMap((resolution) => {
    const size = sizeOfResolution(resolution, aspectRatio);
    return size ? [{ resolution, size }] : [];
  });
  const own = model.sizes.map((size) => ({ resolution: formatSize(size), size }));
  const candidates = (own.length > 0 ? own : named)
    .filter(({ size }) => area(size) < width * height)
    .sort((one, other) => area(other.size) - area(one.size));
  for (const { resolution, size } of candidates) {
    const plan = await ask(shaped(size)).catch(() => null);
    if (plan?.fits)
      return { id: "smallerSize", values: { resolution, width: null, height: null }, peakBytes: plan.peakBytes };
  }
  return null;
}
