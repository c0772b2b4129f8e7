// models.json of a library: the models and folders a person added, used where they lie. It may be lost or damaged without
// loss of a model file.
import { readFileSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../media/whole-file.ts";

const path = z.string().max(4096);

const addedModel = z.object({
  id: z.string().min(1).max(200),
  name: z.string().min(1).max(200),
  /** The id of the known model it is one of: presets name those. */
  knownAs: z.string().max(200).nullable().default(null),
  /** The added folder it was found in; null for a file of its own. */
  folder: path.nullable().default(null),
  /** A folder with a manifest.json, which then says everything but the id. */
  manifestFolder: path.nullable().default(null),
  /** "": none is known yet. */
  files: z.object({
    dit: path,
    dit16: path.optional(),
    ditLow: path.optional(),
    ditLow16: path.optional(),
    vae: path,
    textEncoder: path,
    tokenizer: path,
  }),
  /** What the transformer's header said when it was added: a part that is found later must fit it. */
  textDim: z.number().default(0),
  latentChannels: z.number().default(0),
  /** 0: added by a version that did not ask. */
  inputChannels: z.number().default(0),
});

const modelPart = z.object({
  role: z.enum(["vae", "textEncoder"]),
  path,
  /** Beside a text encoder. */
  tokenizer: path.default(""),
  folder: path.nullable().default(null),
  /** Latent channels of a VAE, width of a text encoder. */
  size: z.number(),
});

const modelsFile = z.object({
  version: z.literal(1),
  folders: z.array(path).max(1000).default([]),
  models: z.array(addedModel).max(10_000).default([]),
  parts: z.array(modelPart).max(10_000).default([]),
});

export type AddedModel = z.infer<typeof addedModel>;
export type ModelPart = z.infer<typeof modelPart>;
export type ModelsFile = z.infer<typeof modelsFile>;

export function modelsFilePath(libraryFolder: string): string {
  return join(libraryFolder, "models.json");
}

const nothing: ModelsFile = { version: 1, folders: [], models: [], parts: [] };
const read = new Map<string, { stamp: string; file: ModelsFile }>();

/** What was added; nothing where there is no such file or it is damaged. */
export function readModelsFile(libraryFolder: string): ModelsFile {
  return readSound(libraryFolder) ?? nothing;
}

const changes = new Map<string, Promise<unknown>>();

/** Reads the file, and writes what `change` makes of it; changes of one library wait for each other. Throws what `change`
 * throws, file.unwritable or disk.full. */
export function changeModelsFile(
  libraryFolder: string,
  change: (file: ModelsFile) => ModelsFile,
): Promise<{ before: ModelsFile; after: ModelsFile }> {
  const next = (changes.get(libraryFolder) ?? Promise.resolve()).then(async () => {
    const before = readModelsFile(libraryFolder);
    const after = change(before);
    await writeModelsFile(libraryFolder, after);
    return { before, after };
  });
  changes.set(
    libraryFolder,
    next.catch(() => {}),
  );
  return next;
}

/** A damaged file is kept beside the one that takes its place. */
async function writeModelsFile(libraryFolder: string, file: ModelsFile): Promise<void> {
  const target = modelsFilePath(libraryFolder);
  if (readSound(libraryFolder) === null) await rename(target, `${target}.broken`).catch(() => {});
  await replaceFile(target, Buffer.from(`${JSON.stringify(file, null, 2)}\n`));
}

/** null: there is one, and it is damaged. */
function readSound(libraryFolder: string): ModelsFile | null {
  const target = modelsFilePath(libraryFolder);
  const facts = statSync(target, { throwIfNoEntry: false });
  if (!facts) return nothing;
  const stamp = `${facts.mtimeMs} ${facts.size} ${facts.ino}`;
  const known = read.get(target);
  if (known?.stamp === stamp) return known.file;
  try {
    const file = modelsFile.parse(JSON.parse(readFileSync(target, "utf8")));
    read.set(target, { stamp, file });
    return file;
  } catch {
    return null;
  }
}
