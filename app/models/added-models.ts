// The models a person added to a library, as manifests, and adding and forgetting them. Files stay where they lie and are
// never written or deleted.
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import { type ModelManifest, pictureChannels } from "../../contract/models.ts";
import type { Capability } from "../../contract/settings/setting.ts";
import { listModels } from "./catalogue.ts";
import type { Inspect } from "./find-model.ts";
import { readManifest, readTextLength, unreadCapabilities } from "./manifest.ts";
import { type AddedModel, changeModelsFile, type ModelsFile, readModelsFile } from "./models-file.ts";
import { completed, idOf, recognise } from "./recognise.ts";
import { type FoundFiles, scanFolder } from "./scan-files.ts";

export interface Addition {
  /** Ids of the models that were added, or completed by what was. */
  readonly ids: string[];
  readonly notes: { path: string; note: string }[];
}

/** A model that was added: its manifest with what is missing left "", and the name presets know it by. */
export type AddedManifest = ModelManifest & { readonly knownAs: string | null };

/** What was added to the library, in the order it was added. Reads no headers. */
export function addedModels(libraryFolder: string): AddedManifest[] {
  return readModelsFile(libraryFolder).models.map(manifestOfAdded);
}

export function addedFolders(libraryFolder: string): string[] {
  return [...readModelsFile(libraryFolder).folders];
}

/** Adds a checkpoint, or everything that is recognised below a folder. Throws checkpoint.missing, checkpoint.unsupported
 * when nothing was recognised, file.unwritable or disk.full. */
export async function addModels(libraryFolder: string, given: string, inspect: Inspect): Promise<Addition> {
  const path = resolve(given);
  const facts = await stat(path).catch(() => null);
  if (!facts) throw new RushesError("checkpoint.missing", { sentence: `There is no file or folder ${path}.` });
  const folder = facts.isDirectory() ? path : null;
  const found = folder === null ? await besideFile(path) : await scanFolder(folder);
  const known = readModelsFile(libraryFolder).parts.filter(({ path: part }) => !found.checkpoints.includes(part));
  const read = await recognise(found, folder, known, inspect);
  const recognised = folder === null ? onlyAbout(path, read) : read;

  const described = found.manifests.flatMap((each) => describedModel(each, folder));
  const inManifests = new Set(described.flatMap(({ files }) => [files.dit, files.dit16, files.ditLow, files.ditLow16]));
  const models = [...described, ...recognised.models.filter(({ files }) => !inManifests.has(files.dit))];
  if (models.length === 0 && recognised.parts.length === 0) {
    const reason = recognised.notes.find((note) => note.path === path)?.note;
    throw new RushesError("checkpoint.unsupported", {
      sentence: folder === null ? `${basename(path)} is no part of a model Rushes knows.` : `No model was found in ${path}.`,
      advice: reason ?? "Choose a checkpoint file, or the folder it lies in.",
      detail: recognised.notes.map((note) => `${note.path}: ${note.note}`).join("\n"),
    });
  }
  // Reading headers takes a while: what was added meanwhile stays.
  const { before: now, after } = await changeModelsFile(libraryFolder, (file) =>
    merged(file, folder, models, recognised.parts),
  );
  const changed = after.models.filter(
    (model) => JSON.stringify(now.models.find(({ id }) => id === model.id)) !== JSON.stringify(model),
  );
  const again = after.models.filter(({ files }) => models.some((model) => model.files.dit === files.dit));
  return { ids: [...new Set([...changed, ...again].map(({ id }) => id))], notes: recognised.notes };
}

/** Forgets a model, or a folder with all that was found in it. Throws model.unknown. */
export async function forgetModels(libraryFolder: string, what: { id: string } | { folder: string }): Promise<void> {
  await changeModelsFile(libraryFolder, (file) => without(file, what));
}

function without(file: ModelsFile, what: { id: string } | { folder: string }): ModelsFile {
  if ("id" in what) {
    if (!file.models.some(({ id }) => id === what.id)) throw notAdded(what.id);
    return { ...file, models: file.models.filter(({ id }) => id !== what.id) };
  }
  const outside = ({ folder }: { folder: string | null }) => folder !== what.folder;
  if (!file.folders.includes(what.folder) && file.models.every(outside)) throw notAdded(what.folder);
  return {
    ...file,
    folders: file.folders.filter((folder) => folder !== what.folder),
    models: file.models.filter(outside),
    parts: file.parts.filter(outside),
  };
}

function notAdded(what: string): RushesError {
  const shipped = listModels().find(({ id }) => id === what);
  return new RushesError("model.unknown", {
    sentence: shipped ? `${shipped.name} comes with Rushes and stays.` : `"${what.slice(0, 200)}" was not added here.`,
    advice: shipped ? "" : "Look at the list of models.",
  });
}

/** A file with its neighbours, which may complete it. */
async function besideFile(path: string): Promise<FoundFiles> {
  const beside = await scanFolder(dirname(path), 0);
  const checkpoints = [path, ...beside.checkpoints.filter((each) => each !== path)];
  return { ...beside, checkpoints, manifests: [], more: false };
}

/** Of what was read around a file, what concerns it: models it is a part of, and parts. */
function onlyAbout(path: string, read: Awaited<ReturnType<typeof recognise>>): typeof read {
  const models = read.models.filter(({ files }) => Object.values(files).includes(path));
  const used = new Set(models.flatMap(({ files }) => Object.values(files)));
  const concerns = (each: { path: string }) => each.path === path || used.has(each.path);
  return { models, parts: read.parts.filter(concerns), notes: read.notes.filter(concerns) };
}

function describedModel(manifestFolder: string, folder: string | null): AddedModel[] {
  const id = idOf(basename(manifestFolder));
  try {
    const { name, files, dit16, ditLow16 } = readManifest(manifestFolder, id);
    const paths = {
      ...files,
      ...(dit16 === undefined ? {} : { dit16 }),
      ...(ditLow16 === undefined ? {} : { ditLow16 }),
    };
    const unread = { textDim: 0, latentChannels: 0, inputChannels: 0 };
    return [{ id, name, knownAs: null, folder, manifestFolder, files: paths, ...unread }];
  } catch {
    // A manifest of something else.
    return [];
  }
}

function merged(
  before: ModelsFile,
  folder: string | null,
  models: readonly AddedModel[],
  parts: ModelsFile["parts"],
): ModelsFile {
  const newParts = [...before.parts.filter(({ path }) => parts.every((part) => part.path !== path)), ...parts];
  // An expert that was added alone is a part of a model now.
  const inPairs = new Set(models.map(({ files }) => files.ditLow));
  const others = before.models.filter(({ manifestFolder, files }) => manifestFolder !== null || !inPairs.has(files.dit));
  const kept = others.map((model) => {
    const again = models.find(({ files }) => files.dit === model.files.dit);
    return completed(again ? { ...again, id: model.id } : model, newParts);
  });
  const taken = new Set([...listModels().map(({ id }) => id), ...kept.map(({ id }) => id)]);
  const fresh = models.filter(({ files }) => before.models.every((model) => model.files.dit !== files.dit));
  const named = fresh.map((model) => {
    let id = model.id;
    for (let count = 2; taken.has(id); count++) id = `${model.id}-${count}`;
    taken.add(id);
    return { ...model, id };
  });
  const folders = folder === null || before.folders.includes(folder) ? before.folders : [...before.folders, folder];
  return { version: 1, folders, models: [...kept, ...named], parts: newParts };
}

function manifestOfAdded(model: AddedModel): AddedManifest {
  const { id, name, knownAs, manifestFolder, files } = model;
  const { dit16, ditLow, ditLow16, ...others } = files;
  const paths = { ...others, ...(ditLow === undefined ? {} : { ditLow }) };
  if (manifestFolder !== null) {
    try {
      return { ...readManifest(manifestFolder, id), knownAs };
    } catch {
      // Its folder has moved: the files that were there say so.
    }
  }
  const known = [paths.dit, paths.textEncoder].filter((path) => path !== "");
  return {
    id,
    name,
    knownAs,
    architecture: "",
    files: paths,
    ...(dit16 === undefined ? {} : { dit16 }),
    ...(ditLow16 === undefined ? {} : { ditLow16 }),
    textLength: textLengthOf(known),
    capabilities: unreadCapabilities(["distilled", ...modesOf(model)], paths),
    sizes: [],
    defaults: /720p/i.test(name) ? { resolution: "720p" } : {},
    limits: {},
  };
}

/** As the header said when the model was added; nothing where nobody asked it. */
function modesOf({ inputChannels }: AddedModel): Capability[] {
  if (inputChannels === 0) return [];
  return [inputChannels === pictureChannels ? "i2v" : "t2v"];
}

function textLengthOf(files: readonly string[]): number {
  try {
    return readTextLength(files);
  } catch {
    return readTextLength([]);
  }
}
