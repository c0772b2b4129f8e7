// From files to models: each header is read, transformers are put together with the VAE, text encoder and tokenizer that
// fit them, nearest first. Nothing is written here.
import { basename, dirname, extname } from "node:path";
import { asRushesError } from "../../contract/errors.ts";
import { knownModels } from "../../contract/models.ts";
import type { Inspection } from "../engine/addon.ts";
import type { Inspect } from "./find-model.ts";
import { isQuantized } from "./automatic-choices.ts";
import type { AddedModel, ModelPart } from "./models-file.ts";
import type { FoundFiles } from "./scan-files.ts";

export interface Recognised {
  /** Without an id that is known to be free. */
  readonly models: AddedModel[];
  readonly parts: ModelPart[];
  readonly notes: { path: string; note: string }[];
}

/** Width of the transformer by the known model that has it. */
const knownWidths = new Map<number, string>([
  [1536, "wan2.1-1.3b"],
  [5120, "wan2.1-14b"],
]);

/** Reads the headers of what was found. `folder` is what was added, null for a single file; `known` are the parts of
 * earlier additions. */
export async function recognise(
  found: FoundFiles,
  folder: string | null,
  known: readonly ModelPart[],
  inspect: Inspect,
): Promise<Recognised> {
  const notes: { path: string; note: string }[] = [];
  const headers: Inspection[] = [];
  for (const path of found.checkpoints) {
    try {
      const header = await inspect(path);
      headers.push({ ...header, path });
      notes.push({ path, note: header.summary });
    } catch (error) {
      notes.push({ path, note: asRushesError(error).message });
    }
  }
  const usable = headers.filter(({ refused }) => refused === "");
  const parts = usable.flatMap((header) => partOf(header, found.tokenizers, folder));
  const dits = usable.filter(({ family }) => family === "wan-dit");
  const models = pairs(dits).map((pair) => modelOf(pair, [...parts, ...known], folder));
  if (found.more)
    notes.push({ path: folder ?? "", note: "There are more files here than are looked at; add the folder inside." });
  return { models, parts, notes };
}

/** A part that was found for a model that lacked it; the model as it is where none fits. */
export function completed(model: AddedModel, parts: readonly ModelPart[]): AddedModel {
  if (model.manifestFolder !== null) return model;
  const { files, textDim, latentChannels } = model;
  const vae = files.vae || (nearestPart("vae", latentChannels, files.dit, parts)?.path ?? "");
  const encoder = files.textEncoder
    ? parts.find(({ path }) => path === files.textEncoder)
    : nearestPart("textEncoder", textDim, files.dit, parts);
  const textEncoder = files.textEncoder || (encoder?.path ?? "");
  const tokenizer = files.tokenizer || (encoder?.tokenizer ?? "");
  return { ...model, files: { ...files, vae, textEncoder, tokenizer } };
}

function partOf(header: Inspection, tokenizers: readonly string[], folder: string | null): ModelPart[] {
  const { path, family, sizes, complete } = header;
  if (!complete) return [];
  if (family === "wan-vae") return [{ role: "vae", path, tokenizer: "", folder, size: sizes["latentChannels"] ?? 0 }];
  if (family !== "umt5") return [];
  const tokenizer = nearest(path, tokenizers, (each) => each) ?? "";
  return [{ role: "textEncoder", path, tokenizer, folder, size: sizes["dim"] ?? 0 }];
}

interface Pair {
  dit: Inspection;
  dit16: Inspection | null;
}

/** "x.pth" and "x-quant.pth" of one folder are two forms of one model. */
function pairs(dits: readonly Inspection[]): Pair[] {
  const sameModel = (one: Inspection, other: Inspection) =>
    dirname(one.path) === dirname(other.path) && plainStem(one.path) === plainStem(other.path);
  const quantized = dits.filter((header) => isQuantized(header) && header.complete);
  const taken = new Set<Inspection>();
  const together = quantized.map((dit): Pair => {
    const dit16 = dits.find((other) => !isQuantized(other) && other.complete && !taken.has(other) && sameModel(dit, other));
    if (dit16) taken.add(dit16);
    return { dit, dit16: dit16 ?? null };
  });
  const alone = dits.filter((header) => !quantized.includes(header) && !taken.has(header));
  return [...together, ...alone.map((dit) => ({ dit, dit16: null }))];
}

function modelOf({ dit, dit16 }: Pair, parts: readonly ModelPart[], folder: string | null): AddedModel {
  const name = plainStem(dit.path).slice(0, 200) || "model";
  const knownAs = knownWidths.get(dit.sizes["dim"] ?? 0) ?? null;
  const model: AddedModel = {
    id: idOf(name),
    name,
    knownAs: knownModels.some(({ id }) => id === knownAs) && dit.uses.includes("text to video") ? knownAs : null,
    folder,
    manifestFolder: null,
    files: { dit: dit.path, ...(dit16 ? { dit16: dit16.path } : {}), vae: "", textEncoder: "", tokenizer: "" },
    textDim: dit.sizes["textDim"] ?? 0,
    latentChannels: dit.sizes["outChannels"] ?? 0,
  };
  return completed(model, parts);
}

/** A word for --model: lower case, no spaces. */
export function idOf(name: string): string {
  const id = name
    .normalize("NFC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 100);
  return id === "" || id === "auto" ? "model" : id;
}

function plainStem(path: string): string {
  return basename(path, extname(path)).replace(/[-_.]quant(ized)?$/i, "");
}

function nearestPart(
  role: ModelPart["role"],
  size: number,
  dit: string,
  parts: readonly ModelPart[],
): ModelPart | undefined {
  const fitting = parts.filter((part) => part.role === role && part.size === size);
  return nearest(dit, fitting, ({ path }) => path);
}

/** The one whose path shares most folders with the given file's; of equals the first. */
function nearest<T>(path: string, candidates: readonly T[], pathOf: (candidate: T) => string): T | undefined {
  const steps = dirname(path).split(/[\\/]/);
  const distance = (candidate: T) => {
    const others = dirname(pathOf(candidate)).split(/[\\/]/);
    let shared = 0;
    while (shared < steps.length && steps[shared] === others[shared]) shared++;
    return steps.length - shared + (others.length - shared);
  };
  let best: { candidate: T; at: number } | null = null;
  for (const candidate of candidates) {
    const at = distance(candidate);
    if (best === null || at < best.at) best = { candidate, at };
  }
  return best?.candidate;
}
