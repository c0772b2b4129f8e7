// From a request to what will run: model found, settings resolved, automatic choices made, prompt split into tokens, the
// engine asked whether it can. Everything that can be refused is refused here, before a job exists.
import { randomInt } from "node:crypto";
import { RushesError } from "../../contract/errors.ts";
import type { ModelChoice, ModelManifest } from "../../contract/models.ts";
import { engineSettings, type ResolvedSettings } from "../../contract/settings/derive.ts";
import type { Plan } from "../engine/addon.ts";
import type { EngineClient } from "../engine/client.ts";
import { chooseAutomatic } from "../models/automatic-choices.ts";
import { manifestOf, type Model } from "../models/find-model.ts";
import { resolveSettings, type ModelTraits } from "../settings/resolve.ts";
import type { CheckedRequest, JobRequest } from "./studio.ts";

/** Random seeds are short enough to be read out and typed in. */
const randomSeeds = 2 ** 32;
/** Fewer tokens than this (the closing one included) hardly say what to show. */
const shortPrompt = 4;

/** Where models are found. */
export interface ModelSource {
  model(choice: ModelChoice): Promise<Model>;
  added(): readonly ModelManifest[];
}

export interface PlannedRequest extends CheckedRequest {
  plan: Plan;
}

export async function acceptRequest(
  request: JobRequest,
  engine: EngineClient,
  models: ModelSource,
): Promise<PlannedRequest> {
  const choice = choiceOf(request);
  // Bad values are told without waiting for the engine.
  resolve(request, manifestOf(choice, models.added()));
  // Read in while the engine's process starts.
  const tokenizing = import("../text/tokenize.ts");
  const model = await models.model(choice);
  const { settings: sized, warnings } = resolve(request, model);
  const { dit, quantLinear, attentionType } = chooseAutomatic(sized, model);
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
  };
  const files = { dit, vae: model.files.vae, textEncoder: model.files.textEncoder, textLength: model.textLength };
  const plan = await engine.call("plan", [files, engineSettings(settings), ids.length]);
  const said = [...warnings, ...aboutPrompt(ids.length, cut, model)];
  return { model, dit, settings, ids, tokens, cut, warnings: said, plan };
}

function choiceOf({ model, settings }: JobRequest): ModelChoice {
  if (model) return model;
  return settings?.model === undefined ? {} : { name: settings.model };
}

function resolve({ prompt, settings }: JobRequest, model: ModelTraits) {
  const { model: _name, ...values } = settings ?? {};
  return resolveSettings([{ kind: "flag", origin: "", values: { ...values, prompt } }], model);
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
