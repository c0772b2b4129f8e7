// From a request to what will run: model found, settings resolved, automatic choices made, prompt split into tokens, the
// engine asked whether it can. Everything that can be refused is refused here, before a job exists.
import { randomInt } from "node:crypto";
import { basename, resolve } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import { undistilledRemark } from "../../contract/inspection-text.ts";
import { type ModelChoice, type ModelManifest, needsPicture } from "../../contract/models.ts";
import { engineSettings, type Lora, type ResolvedSettings } from "../../contract/settings/derive.ts";
import type { FrameSize } from "../../contract/settings/resolution.ts";
import type { Plan } from "../engine/addon.ts";
import type { EngineClient } from "../engine/client.ts";
import { readWholePictureSize } from "../media/input-picture.ts";
import { chooseAutomatic, engineFiles } from "../models/automatic-choices.ts";
import { beginsWithPicture, manifestOf, type Model } from "../models/find-model.ts";
import { type AllowedPath, engineLoras } from "../models/lora-files.ts";
import { expertOf } from "../models/recognise.ts";
import { modeOf, pictureMissing, resolveSettings, type ModelTraits } from "../settings/resolve.ts";
import { aboutUnused } from "./graphics-card.ts";
import type { CheckedRequest, JobRequest } from "./studio.ts";

/** Random seeds are short enough to be read out and typed in. */
const randomSeeds = 2 ** 32;
/** Fewer tokens than this (the closing one included) hardly say what to show. */
const shortPrompt = 4;

/** Where models are found. */
export interface ModelSource {
  /** The choice with "auto" settled for its mode. */
  settled(choice: ModelChoice): Promise<ModelChoice>;
  model(choice: ModelChoice): Promise<Model>;
  added(): readonly ModelManifest[];
  findLoras(given: readonly Lora[], model: Model, allowed: AllowedPath): Promise<Lora[]>;
}

export interface PlannedRequest extends CheckedRequest {
  plan: Plan;
}

export async function acceptRequest(
  request: JobRequest,
  engine: EngineClient,
  models: ModelSource,
): Promise<PlannedRequest> {
  const choice = await models.settled(choiceOf(request));
  // Bad values are told without waiting for the engine.
  resolved(request, manifestOf(choice, models.added()), null);
  // Read in while the engine's process starts.
  const tokenizing = import("../text/tokenize.ts");
  const model = await models.model(choice);
  const { settings: sized, warnings } = resolved(request, model, await pictureOf(request, model));
  const loras = await models.findLoras(sized.loras, model, request.allowedPath ?? anyPath);
  const chosen = chooseAutomatic(sized, model);
  const { quantLinear, attentionType } = chosen;
  const { tokenize } = await tokenizing;
  const { ids, tokens, cut } = tokenize(request.prompt, {
    tokenizerPath: model.files.tokenizer,
    textLength: model.textLength,
  });
  const settings: ResolvedSettings = {
    ...sized,
    model: model.id,
    seed: sized.seed ?? randomInt(randomSeeds),
    quantLinear,
    attentionType,
    loras,
  };
  const files = engineFiles(chosen, model);
  const plan = await engine.call("plan", [files, engineSettings(settings), ids.length, engineLoras(loras)]);
  const said = [
    ...warnings,
    ...aboutModel(model),
    ...aboutPrompt(ids.length, cut, model),
    ...aboutUnused(settings, plan),
  ];
  return { model, files, settings, ids, tokens, cut, warnings: said, plan };
}

const anyPath: AllowedPath = (path) => Promise.resolve(path);

function choiceOf({ model, settings = {} }: JobRequest): ModelChoice {
  const mode = modeOf([{ values: settings }], null);
  if (model) return { ...model, mode };
  return settings.model === undefined ? { mode } : { name: settings.model, mode };
}

function resolved({ prompt, settings }: JobRequest, model: ModelTraits, picture: FrameSize | null) {
  const { model: _name, ...values } = settings ?? {};
  return resolveSettings([{ kind: "flag", origin: "", values: { ...values, prompt } }], model, picture);
}

/** The size of the picture that the video begins with; null where there is none. Throws model.unsupported or
 * settings.invalid where one is needed, file.unreadable. */
async function pictureOf({ settings = {} }: JobRequest, model: Model): Promise<FrameSize | null> {
  if (modeOf([{ values: settings }], model) !== "i2v" || !model.capabilities.includes("i2v")) return null;
  if (settings.image) return readWholePictureSize(resolve(settings.image));
  if (needsPicture(model)) throw pictureMissing(model);
  throw new RushesError("settings.invalid", {
    sentence: "Image to Video starts from an image, and none was given.",
    advice: "Give an image, or choose Text to Video.",
  });
}

/** The widths of models that come as two experts, of which a person may have one. */
const expertWidth = 5120;

/** What is worth saying of a model before it runs. */
export function aboutModel(model: Pick<Model, "name" | "inspections">): string[] {
  const { dit } = model.inspections;
  return [...aboutExperts(model), undistilledRemark(dit, basename(dit.path))].filter((sentence) => sentence !== "");
}

/** Of a model that has one of its two experts. */
function aboutExperts({ name, inspections: { dit, ditLow } }: Pick<Model, "name" | "inspections">): string[] {
  if (ditLow || !beginsWithPicture(dit) || dit.sizes["dim"] !== expertWidth) return [];
  const missing = expertOf(dit.path) === "low" ? "high" : "low";
  return [
    `${name} has one of its two experts, which runs every step; add the ${missing}-noise file for what it was trained to do.`,
  ];
}

/** What is worth saying of a prompt of so many tokens, the closing one included. */
export function aboutPrompt(tokens: number, cut: boolean, { textLength, name }: Model): string[] {
  if (cut) return [`The prompt is longer than the ${textLength} tokens ${name} reads; the rest is cut off.`];
  if (tokens > 0 && tokens < shortPrompt)
    return ["The prompt is very short; a whole sentence says more of what to show."];
  return [];
}

/** The settings of each sample: seed, seed+1, ... */
export function samplesOf(settings: ResolvedSettings): ResolvedSettings[] {
  if (settings.numSamples - 1 > Number.MAX_SAFE_INTEGER - settings.seed)
    throw new RushesError("settings.invalid", {
      sentence: `Seed ${settings.seed} leaves no room for ${settings.numSamples} samples.`,
      advice: "Use a smaller seed.",
    });
  return Array.from({ length: settings.numSamples }, (_, sample) => ({
    ...settings,
    seed: settings.seed + sample,
    numSamples: 1,
  }));
}
