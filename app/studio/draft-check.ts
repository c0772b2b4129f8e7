// What a draft comes to before anything is accepted: values and where they come from, problems by field, the prompt's
// tokens, and the plan card. Never a refusal: what cannot be known is left out, and why is said.
import type { DraftCheck, ValueSource } from "../../contract/channels/generate.ts";
import { asRushesError } from "../../contract/errors.ts";
import type { ModelChoice } from "../../contract/models.ts";
import type { FrameSize } from "../../contract/settings/resolution.ts";
import {
  allSettings,
  checkSetting,
  engineSettings,
  isSettingId,
  type Lora,
  type SettingId,
  type SettingProblem,
  type Settings,
} from "../../contract/settings/derive.ts";
import type { Capability } from "../../contract/settings/setting.ts";
import { adaptiveSize } from "../../contract/settings/picture-size.ts";
import { noiseLevels } from "../../contract/settings/noise-levels.ts";
import { readPictureSize } from "../media/input-picture.ts";
import { chooseAutomatic, engineFiles } from "../models/automatic-choices.ts";
import { manifestOf, type Model } from "../models/find-model.ts";
import { engineLoras } from "../models/lora-files.ts";
import { collectSources } from "../settings/collect.ts";
import { type ModelTraits, modeOf, type ResolvedSources, resolveSettings } from "../settings/resolve.ts";
import type { SettingSource } from "../settings/sources.ts";
import { aboutModel, aboutPrompt } from "./accept.ts";
import { type LocalDraft, noPath } from "./draft-request.ts";
import { aboutUnused, isUsed } from "./graphics-card.ts";
import { planCard } from "./plan-card.ts";
import { countPrompt, type CountedPrompt } from "./prompt-count.ts";
import type { LocalModels } from "./local-models.ts";
import type { StudioCore } from "./studio-core.ts";

type Refusal = NonNullable<DraftCheck["refusal"]>;

/** Everything that is wrong, gathered on the way. */
interface Findings {
  readonly problems: SettingProblem[];
  readonly warnings: string[];
  refusal: Refusal | null;
}

export async function checkDraft(core: StudioCore, models: LocalModels, draft: LocalDraft): Promise<DraftCheck> {
  const findings: Findings = { problems: [], warnings: [], refusal: null };
  const refuse = (error: unknown) => void (findings.refusal ??= asRushesError(error).toJSON());
  const form = usableValues(draft, findings);
  const { sources, choice: asked } = await sourcesOf(core, draft, form, refuse);

  const choice = await models.settled(asked).catch((error: unknown) => {
    refuse(error);
    // The rest is answered for what would run without a picture.
    return { ...asked, mode: "t2v" as const };
  });
  const model = await models.model(choice).catch((error: unknown) => void refuse(error));
  const traits = model ?? traitsOf(choice, models);
  const given = withinLimits(sources, traits, findings);
  const below = given.slice(0, -1);
  const picture = await pictureOf(
    resolveAll(given, traits, null, () => {}),
    refuse,
  );
  const resolved = resolveAll(given, traits, picture, refuse);
  const modeOnly: SettingSource = { kind: "flag", origin: "", values: { mode: resolved.settings.mode } };
  const inherited = resolveAll([...below, modeOnly], traits, picture, () => {}).settings;
  if (model && resolved.settings.mode === "i2v" && resolved.settings.image === null && findings.refusal === null)
    findings.problems.push(noPicture);

  const empty = resolved.settings.prompt === "" ? checkSetting("prompt", promptOf(draft, resolved)) : null;
  if (empty && findings.problems.every(({ id }) => id !== "prompt")) findings.problems.push(empty);

  const counted = await countOf(draft, resolved, model ?? null, refuse);
  if (model) findings.warnings.push(...aboutModel(model));
  if (counted && model) findings.warnings.push(...aboutPrompt(counted.tokens, counted.cut, model));
  const loras = model ? await lorasOf(models, model, resolved, draft, findings) : [];
  const plan = (some: readonly Lora[], say: (error: unknown) => void) =>
    model ? planOf(core, model, resolved, picture, some, counted, say) : Promise.resolve(null);
  const planned = await planDespiteLoras(plan, loras, findings, refuse);
  const onCard = isUsed(await core.card.look());
  const works = (needs: Capability) => (needs === "gpu" ? onCard : traits?.capabilities.includes(needs));
  return {
    settings: { ...resolved.settings, prompt: promptOf(draft, resolved) },
    automatic: {
      ...(model && isAutomatic(resolved.settings.model) ? { model: model.id } : {}),
      ...planned?.automatic,
    },
    sources: Object.fromEntries(
      allSettings.map(({ id }) => [id, sourceName(resolved.origins[id].kind)]),
    ) as DraftCheck["sources"],
    hidden: traits ? allSettings.filter(({ needs }) => needs && !works(needs)).map(({ id }) => id) : [],
    inherited: { ...inherited, mode: modeOf(below, isAutomatic(resolved.settings.model) ? null : traits) },
    prompt: counted,
    noiseLevels: noiseLevels(resolved.settings.numSteps, resolved.settings.sigmaMax),
    frameSize: { width: resolved.settings.width, height: resolved.settings.height },
    problems: findings.problems,
    refusal: findings.refusal,
    warnings: [...findings.warnings, ...resolved.warnings, ...(planned?.warnings ?? [])],
    plan: planned?.card ?? null,
  };
}

const noPicture: SettingProblem = {
  id: "image",
  sentence: "Image to Video starts from an image, and none was given.",
  advice: "Give an image, or choose Text to Video.",
};

/** The size of the picture, where one is used. */
async function pictureOf(
  { settings: { mode, image } }: ResolvedSources,
  refuse: (error: unknown) => void,
): Promise<FrameSize | null> {
  if (mode !== "i2v" || image === null) return null;
  try {
    return await readPictureSize(image);
  } catch (error) {
    refuse(error);
    return null;
  }
}

/** The LoRAs as files; none where one of them cannot be used, which becomes a problem. */
async function lorasOf(
  models: LocalModels,
  model: Model,
  { settings }: ResolvedSources,
  draft: LocalDraft,
  { problems }: Findings,
): Promise<Lora[]> {
  try {
    return await models.findLoras(settings.loras, model, draft.allowedPath ?? noPath);
  } catch (error) {
    problems.push(loraProblem(error));
    return [];
  }
}

function loraProblem(error: unknown): SettingProblem {
  const { message: sentence, advice } = asRushesError(error);
  return { id: "loras", sentence, advice };
}

/** Whether a LoRA goes with the model only a plan says. Where there is one without them, they are what is wrong. */
async function planDespiteLoras<Planned>(
  plan: (loras: readonly Lora[], say: (error: unknown) => void) => Promise<Planned | null>,
  loras: readonly Lora[],
  { problems }: Findings,
  refuse: (error: unknown) => void,
): Promise<Planned | null> {
  if (loras.length === 0) return plan([], refuse);
  let refusal: unknown = null;
  const whole = await plan(loras, (error) => (refusal = error));
  if (whole) return whole;
  const without = await plan([], refuse);
  if (without) problems.push(loraProblem(refusal));
  return without;
}

/** The form's values that the catalogue accepts; the others become problems. */
function usableValues(draft: LocalDraft, { problems }: Findings): Partial<Settings> {
  const usable: Record<string, unknown> = {};
  for (const [id, value] of Object.entries(draft.values) as [string, unknown][]) {
    if (value === undefined) continue;
    if (!isSettingId(id)) {
      problems.push({ id, sentence: `There is no setting called "${id.slice(0, 60)}".`, advice: "Take it out." });
      continue;
    }
    const problem = checkSetting(id, value);
    if (problem) problems.push(problem);
    else usable[id] = value;
  }
  if (draft.imagePath !== undefined) usable["image"] = draft.imagePath;
  return usable as Partial<Settings>;
}

async function sourcesOf(
  core: StudioCore,
  draft: LocalDraft,
  values: Partial<Settings>,
  refuse: (error: unknown) => void,
) {
  const given = { libraryFolder: core.libraryFolder, presetId: draft.presetId, flags: { values, files: {} } };
  try {
    return await collectSources({ ...given, flagOrigin: "form" });
  } catch (error) {
    // The config file is broken: generating will say the same.
    refuse(error);
    return collectSources({ ...given, flagOrigin: "form", configFile: null });
  }
}

/** What is known of a model whose files cannot be used. */
function traitsOf(choice: ModelChoice, models: LocalModels): ModelTraits | null {
  try {
    return manifestOf(choice, models.added());
  } catch {
    return null;
  }
}

/** Sources without the values that the model's limits forbid: those of the form become problems, others warnings. */
function withinLimits(sources: readonly SettingSource[], traits: ModelTraits | null, found: Findings): SettingSource[] {
  if (!traits) return [...sources];
  return sources.map((source) => {
    const kept = Object.entries(source.values).filter(([id, value]) => {
      const problem = value === undefined ? null : checkSetting(id as SettingId, value, traits.limits[id as SettingId]);
      if (problem && source.kind === "flag") found.problems.push(problem);
      else if (problem) found.warnings.push(`${source.origin}: ${problem.sentence}`);
      return problem === null;
    });
    return { ...source, values: Object.fromEntries(kept) };
  });
}

/** Resolves; what the model cannot do at all is refused, and left aside for the rest of the answer. */
function resolveAll(
  sources: readonly SettingSource[],
  traits: ModelTraits | null,
  picture: FrameSize | null,
  refuse: (error: unknown) => void,
): ResolvedSources {
  try {
    return resolveSettings(sources, traits, picture);
  } catch (error) {
    refuse(error);
    return resolveSettings(sources, traits && { ...traits, capabilities: everyCapability }, picture);
  }
}

const everyCapability = ["distilled", "base", "sla", "t2v", "i2v", "twoExperts", "lora", "gpu"] as const;

function sourceName(kind: SettingSource["kind"]): ValueSource {
  return kind === "flag" ? "form" : kind;
}

/** The prompt as it was typed, also where it is too long to be accepted. */
function promptOf({ values }: LocalDraft, resolved: ResolvedSources): string {
  return typeof values.prompt === "string" ? values.prompt : resolved.settings.prompt;
}

async function countOf(
  draft: LocalDraft,
  resolved: ResolvedSources,
  model: Model | null,
  refuse: (error: unknown) => void,
): Promise<CountedPrompt | null> {
  if (!model) return null;
  try {
    return await countPrompt(promptOf(draft, resolved), model);
  } catch (error) {
    refuse(error);
    return null;
  }
}

async function planOf(
  core: StudioCore,
  model: Model,
  { settings: sized }: ResolvedSources,
  picture: FrameSize | null,
  loras: readonly Lora[],
  counted: CountedPrompt | null,
  refuse: (error: unknown) => void,
) {
  try {
    const chosen = chooseAutomatic(sized, model);
    const { quantLinear, attentionType } = chosen;
    const settings = { ...sized, quantLinear, attentionType, seed: sized.seed ?? 0 };
    const files = engineFiles(chosen, model);
    const shaped = (size: FrameSize) => (picture && sized.adaptiveResolution ? adaptiveSize(size, picture) : size);
    const ask = (changes: Partial<Settings>) =>
      core.engine.call("plan", [
        files,
        engineSettings({ ...settings, ...changes }),
        counted?.tokens || model.textLength,
        engineLoras(loras),
      ]);
    const plan = await ask({});
    const ran: Partial<Settings> = { ...plan.settings, quantLinear, attentionType };
    const left = allSettings.filter(
      ({ id }) => isAutomatic(sized[id]) && ran[id] !== undefined && ran[id] !== sized[id],
    );
    const automatic = Object.fromEntries(left.map(({ id }) => [id, ran[id]])) as Partial<Settings>;
    const card = await planCard(core, model, settings, plan, ask, shaped);
    return { automatic, card, warnings: aboutUnused(sized, plan) };
  } catch (error) {
    refuse(error);
    return null;
  }
}

function isAutomatic(value: unknown): boolean {
  return value === "auto" || value === 0;
}
