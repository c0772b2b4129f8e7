// The models of a studio: those that are shipped and those that were added, with the state of their files and what they need
// on this machine.
import { stat } from "node:fs/promises";
import type { InspectionReport, LoraEntry, ModelEntry, ModelFileEntry } from "../../contract/channels/models.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import { inspectionText } from "../../contract/inspection-text.ts";
import { knownModel, type ModelChoice, type ModelManifest } from "../../contract/models.ts";
import { engineSettings, type Lora } from "../../contract/settings/derive.ts";
import type { Plan } from "../engine/addon.ts";
import { addedFolders, type AddedManifest, addedModels, addModels, forgetModels } from "../models/added-models.ts";
import { chooseAutomatic, engineFiles } from "../models/automatic-choices.ts";
import { settledChoice } from "../models/automatic-model.ts";
import { findModel, listModels } from "../models/catalogue.ts";
import { findChosenModel, type Inspect, type Model } from "../models/find-model.ts";
import { withHeaderCache } from "../models/header-cache.ts";
import { type AllowedPath, findLoras, listLoras, loraFolderOf, namedLora } from "../models/lora-files.ts";
import { resolveSettings } from "../settings/resolve.ts";
import type { StudioCore } from "./studio-core.ts";
import type { StudioModels } from "./studio.ts";

export class LocalModels implements StudioModels {
  readonly #core: StudioCore;
  readonly inspect: Inspect;

  constructor(core: StudioCore) {
    this.#core = core;
    this.inspect = withHeaderCache((path) => core.engine.call("inspect", [path]));
  }

  manifests(): ModelManifest[] {
    return [...listModels(), ...this.added()];
  }

  added(): AddedManifest[] {
    return addedModels(this.#core.libraryFolder);
  }

  model(choice: ModelChoice): Promise<Model> {
    return this.settled(choice).then((settled) => findChosenModel(settled, this.inspect, this.added()));
  }

  /** A model that was added comes before the small one that is shipped. */
  settled(choice: ModelChoice): Promise<ModelChoice> {
    return settledChoice(choice, [...this.added(), ...listModels()], this.inspect);
  }

  folders(): string[] {
    return addedFolders(this.#core.libraryFolder);
  }

  async list(): Promise<ModelEntry[]> {
    const shipped = listModels().map((manifest) => this.#entry(manifest, true));
    const added = this.added().map((manifest) => this.#entry(manifest, false));
    return Promise.all([...shipped, ...added]);
  }

  async add(path: string): ReturnType<StudioModels["add"]> {
    const { ids, notes } = await addModels(this.#core.libraryFolder, path, this.inspect);
    this.#core.announce({ kind: "models:changed" });
    const models = await Promise.all(
      this.added()
        .filter(({ id }) => ids.includes(id))
        .map((manifest) => this.#entry(manifest, false)),
    );
    return { models, notes };
  }

  async forget(what: { id: string } | { folder: string }): Promise<void> {
    await forgetModels(this.#core.libraryFolder, what);
    this.#core.announce({ kind: "models:changed" });
  }

  loras(model: string | null): Promise<LoraEntry[]> {
    const folders =
      model === null
        ? [this.#core.files.loras, ...this.manifests().map(loraFolderOf)]
        : this.#loraFolders(findModel(model, this.added()));
    return listLoras([...new Set(folders)], this.inspect);
  }

  /** The files that a job's LoRAs are. Throws lora.missing, checkpoint.*, settings.invalid, and what `allowed` throws. */
  findLoras(given: readonly Lora[], model: Model, allowed: AllowedPath): Promise<Lora[]> {
    const named = this.#loraFolders(model);
    const known = () => [...named, ...this.manifests().map(loraFolderOf)];
    return findLoras(given, model, { named, known: given.length === 0 ? [] : known() }, this.inspect, allowed);
  }

  /** The file of that name beside this library's other LoRAs or beside the model; null where there is none. */
  namedLora(name: string, model: string): Promise<string | null> {
    return namedLora(name, this.#loraFolders(findModel(model, this.added())));
  }

  async report(path: string): Promise<InspectionReport> {
    const facts = await stat(path).catch(() => null);
    if (!facts) throw new RushesError("checkpoint.missing", { sentence: `There is no file ${path}.` });
    if (facts.isDirectory())
      throw new RushesError("checkpoint.unsupported", {
        sentence: `${path} is a folder, not a file.`,
        advice: "Choose a file inside it.",
      });
    const { prefix: _prefix, ...inspection } = await this.inspect(path);
    // null in the engine's words for a file of no known family.
    const report = { ...inspection, family: (inspection.family as string | null) ?? "" };
    return { ...report, text: inspectionText(await this.inspect(path)) };
  }

  missing(name: string): string | null {
    const found = findModel(name, this.added());
    if (!found) return `${knownModel(name)?.name ?? name} is not on this machine.`;
    const { dit, vae, textEncoder } = found.files;
    return [dit, vae, textEncoder].every((path) => path !== "") ? null : `${found.name} is not complete.`;
  }

  #loraFolders(model: Pick<ModelManifest, "files"> | null): string[] {
    return [this.#core.files.loras, ...(model ? [loraFolderOf(model)] : [])];
  }

  async #entry(manifest: ModelManifest, builtIn: boolean): Promise<ModelEntry> {
    const { id, name, sizes, defaults, limits } = manifest;
    const files = await Promise.all(filesOf(manifest));
    const bytes = files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
    const common = { id, name, builtIn, files, bytes, sizes, defaults, limits };
    try {
      const model = await this.model({ name: id });
      const { dit, dit16 } = model.inspections;
      const problem = model.files.tokenizer === "" ? noTokenizer : missingFile(files);
      const plan = problem === null ? await this.#plan(model).catch(() => null) : null;
      return {
        ...common,
        architecture: dit.architecture,
        state: problem === null ? "ready" : "incomplete",
        problem,
        quantization: dit16 ? `${formatOf(dit)} + ${formatOf(dit16)}` : dit.quantization,
        capabilities: model.capabilities,
        peakBytes: plan?.peakBytes ?? null,
        fits: plan?.fits ?? null,
      };
    } catch (error) {
      const { architecture, capabilities } = manifest;
      const { message, advice } = asRushesError(error);
      const problem = [message, advice].filter((sentence) => sentence !== "").join(" ");
      const unknown = { quantization: "", peakBytes: null, fits: null };
      return { ...common, architecture, capabilities, state: "incomplete", problem, ...unknown };
    }
  }

  /** What the model needs at its default size. */
  #plan(model: Model): Promise<Plan> {
    const { settings } = resolveSettings([], model);
    const chosen = chooseAutomatic(settings, model);
    const { quantLinear, attentionType } = chosen;
    const asked = engineSettings({ ...settings, quantLinear, attentionType, seed: 0 });
    return this.#core.engine.call("plan", [engineFiles(chosen, model), asked, model.textLength]);
  }
}

const noTokenizer =
  "Its text encoder has no tokenizer.json beside it. Take the file from the google/umt5-xxl repository and add the folder again.";

function missingFile(files: readonly ModelFileEntry[]): string | null {
  const gone = files.find(({ bytes }) => bytes === null);
  return gone ? `There is no file ${gone.path}.` : null;
}

function filesOf({ files, dit16, ditLow16 }: ModelManifest): Promise<ModelFileEntry>[] {
  const roles: [ModelFileEntry["role"], string | undefined][] = [
    ["transformer", files.dit],
    ["transformer16", dit16],
    ["lowTransformer", files.ditLow],
    ["lowTransformer16", ditLow16],
    ["vae", files.vae],
    ["textEncoder", files.textEncoder],
    ["tokenizer", files.tokenizer],
  ];
  return roles.flatMap(([role, path]) => (path === undefined ? [] : [fileEntry(role, path)]));
}

async function fileEntry(role: ModelFileEntry["role"], path: string): Promise<ModelFileEntry> {
  const facts = path === "" ? null : await stat(path).catch(() => null);
  return { role, path, bytes: facts?.isFile() ? facts.size : null };
}

/** A transformer's weight format beside another one's, where "none" would say nothing. */
function formatOf({ quantization }: { readonly quantization: string }): string {
  return quantization === "none" ? "16-bit" : quantization;
}
