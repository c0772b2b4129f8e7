// The command line of a draft or of a job in the history.
import { RushesError } from "../../contract/errors.ts";
import type { Job } from "../../contract/job.ts";
import type { ModelChoice } from "../../contract/models.ts";
import { engineSettings, type Settings } from "../../contract/settings/derive.ts";
import type { FrameSize } from "../../contract/settings/resolution.ts";
import { readPictureSize } from "../media/input-picture.ts";
import { chooseAutomatic, engineFiles } from "../models/automatic-choices.ts";
import { manifestOf } from "../models/find-model.ts";
import { engineLoras } from "../models/lora-files.ts";
import { collectSources } from "../settings/collect.ts";
import { commandLine } from "../settings/command-line.ts";
import { resolveSettings, type ModelTraits } from "../settings/resolve.ts";
import { requestOfDraft, type LocalDraft } from "./draft-request.ts";
import type { LocalModels } from "./local-models.ts";
import type { StudioCore } from "./studio-core.ts";

/** Throws what adding the draft to the queue would throw for its values. */
export async function commandOfDraft(core: StudioCore, models: LocalModels, draft: LocalDraft): Promise<string> {
  const { prompt, model: asked = {}, settings: given = {} } = await requestOfDraft(draft, core.libraryFolder);
  const { mode: _mode, ...choice } = await models.settled(asked);
  const traits = await models.model(choice).catch(() => manifestOf(choice, models.added()));
  const picture = await pictureOf(given.image);
  const flag = { kind: "flag", origin: "", values: { ...given, prompt } } as const;
  const target = resolveSettings([flag], traits, picture).settings;
  const { name, ...files } = choice;
  const byFiles = Object.keys(files).length > 0;
  const resolve = await resolver(core, byFiles ? files : { name: traits.id }, traits, prompt, picture);
  const settings = { ...target, model: name ?? traits.id };
  return commandLine({
    libraryFolder: core.libraryFolder,
    model: byFiles ? files : { id: traits.id },
    settings,
    resolve: (flags) => resolve(flags),
  });
}

/** The line that repeats what a job ran, its seed included. */
export async function commandOfJob(core: StudioCore, models: LocalModels, job: Job): Promise<string> {
  const { dit, ditLow, vae, textEncoder, tokenizer } = job.files;
  const model = await models.model({ name: job.settings.model }).catch(() => null);
  const same = model && [model.files.dit, model.dit16].includes(dit) && model.files.vae === vae;
  const sameLow =
    model &&
    (ditLow === undefined ? model.files.ditLow === undefined : [model.files.ditLow, model.ditLow16].includes(ditLow));
  const named = same && sameLow && model.files.textEncoder === textEncoder;
  const files = {
    ditPath: dit,
    ...(ditLow === undefined ? {} : { ditLowPath: ditLow }),
    vaePath: vae,
    textEncoderPath: textEncoder,
    ...(tokenizer === "" ? {} : { tokenizerPath: tokenizer }),
  };
  const choice: ModelChoice = named ? { name: model.id } : files;
  const traits = named ? model : await models.model(files).catch(() => manifestOf(files, models.added()));
  const picture = await pictureOf(job.settings.image);
  const resolve = await resolver(core, choice, traits, job.prompt, picture);
  const settings: Settings = { ...job.settings, prompt: job.prompt };
  const ran = await automaticOf(core, models, choice, resolve, job);
  return commandLine({
    libraryFolder: core.libraryFolder,
    model: named ? { id: model.id } : files,
    settings,
    resolve: (flags) => {
      const resolved = resolve(flags);
      return resolved && withAutomatic(resolved, ran);
    },
  });
}

/** The picture's size; null where there is none, or none that can be read: then the size in pixels is said. */
async function pictureOf(image: string | null = null): Promise<FrameSize | null> {
  if (image === null) return null;
  return readPictureSize(image).catch(() => null);
}

/** What the command would resolve flags to; null where it would refuse them. */
async function resolver(
  core: StudioCore,
  choice: ModelChoice,
  traits: ModelTraits,
  prompt: string,
  picture: FrameSize | null,
) {
  const { name, ...files } = choice;
  const model = name === undefined ? {} : { model: name };
  const { sources } = await collectSources({ libraryFolder: core.libraryFolder, flags: { values: model, files } });
  return (flags: Partial<Settings>): Settings | null => {
    try {
      const flag = { kind: "flag", origin: "", values: { ...model, ...flags, prompt } } as const;
      return resolveSettings([...sources, flag], traits, flags.image === undefined ? null : picture).settings;
    } catch (error) {
      if (error instanceof RushesError) return null;
      throw error;
    }
  };
}

/** What "auto" would become here in the job's place: those flags need not be said. */
async function automaticOf(
  core: StudioCore,
  models: LocalModels,
  choice: ModelChoice,
  resolve: (flags: Partial<Settings>) => Settings | null,
  job: Job,
): Promise<Partial<Settings>> {
  const { width, height, numFrames, numSteps } = job.settings;
  const alike = resolve({ width, height, numFrames, numSteps });
  if (!alike) return {};
  try {
    const model = await models.model(choice);
    const chosen = chooseAutomatic(alike, model);
    const { quantLinear, attentionType } = chosen;
    const files = engineFiles(chosen, model);
    const asked = engineSettings({ ...alike, quantLinear, attentionType, seed: job.seed });
    const plan = await core.engine.call("plan", [files, asked, job.tokenCount, engineLoras(job.settings.loras)]);
    return { ...plan.settings, quantLinear, attentionType };
  } catch {
    // Nothing is known of the engine's own choices: every flag is said.
    return {};
  }
}

const automaticIds = [
  "quantLinear",
  "attentionType",
  "textEncoderFormat",
  "device",
  "precision",
  "threads",
  "vaeTiling",
] as const satisfies readonly (keyof Settings)[];

function withAutomatic(resolved: Settings, ran: Partial<Settings>): Settings {
  const chosen = automaticIds.filter((id) => (resolved[id] === "auto" || resolved[id] === 0) && ran[id] !== undefined);
  return { ...resolved, ...Object.fromEntries(chosen.map((id) => [id, ran[id]])) };
}
