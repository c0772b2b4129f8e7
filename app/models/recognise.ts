// From files to models: each header is read, transformers are put together with the VAE, text encoder and tokenizer that
// fit them, nearest first. Nothing is written here.
import { basename, dirname, extname } from "node:path";
import { asRushesError } from "../../contract/errors.ts";
import { knownModels } from "../../contract/models.ts";
import type { Inspection } from "../engine/addon.ts";
import { beginsWithPicture, expertDifference, type Inspect } from "./find-model.ts";
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
      notes.push({ path, note: noteOf(header) });
    } catch (error) {
      notes.push({ path, note: asRushesError(error).message });
    }
  }
  const usable = headers.filter(({ refused }) => refused === "");
  const parts = usable.flatMap((header) => partOf(header, found.tokenizers, folder));
  const dits = usable.filter(({ family }) => family === "wan-dit");
  const sets = withExperts(bothForms(dits), (path, note) => notes.push({ path, note }));
  const models = sets.map((set) => modelOf(set, [...parts, ...known], folder));
  if (found.more)
    notes.push({ path: folder ?? "", note: "There are more files here than are looked at; add the folder inside." });
  return { models, parts, notes };
}

/** A LoRA is no part of a model, however good a file it is. */
function noteOf({ family, summary }: Inspection): string {
  if (family !== "lora") return summary;
  return "A LoRA, not a model. Put it into the folder loras of the library, or beside a model; it is then offered under Advanced Settings.";
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

/** The transformers of one model. */
interface TransformerSet {
  dit: Inspection;
  dit16: Inspection | null;
  ditLow: Inspection | null;
  ditLow16: Inspection | null;
}

/** "x.pth" and "x-quant.pth" of one folder are two forms of one model. */
function bothForms(dits: readonly Inspection[]): TransformerSet[] {
  const sameModel = (one: Inspection, other: Inspection) =>
    dirname(one.path) === dirname(other.path) && plainStem(one.path) === plainStem(other.path);
  const quantized = dits.filter((header) => isQuantized(header) && header.complete);
  const taken = new Set<Inspection>();
  const alone = { dit16: null, ditLow: null, ditLow16: null };
  const together = quantized.map((dit): TransformerSet => {
    const dit16 = dits.find((other) => !isQuantized(other) && other.complete && !taken.has(other) && sameModel(dit, other));
    if (dit16) taken.add(dit16);
    return { ...alone, dit, dit16: dit16 ?? null };
  });
  const others = dits.filter((header) => !quantized.includes(header) && !taken.has(header));
  return [...together, ...others.map((dit) => ({ ...alone, dit }))];
}

/** "x-high.pth" and "x-low.pth" of one folder are the experts of one model. One whose partner is not there, or does not
 * fit, stays a model of its own, which runs every step; `say` tells why. */
function withExperts(sets: readonly TransformerSet[], say: (path: string, note: string) => void): TransformerSet[] {
  const lows = new Set(sets.filter(({ dit }) => expertOf(dit.path) === "low"));
  const joined = sets
    .filter((set) => !lows.has(set))
    .map((set): TransformerSet => {
      if (expertOf(set.dit.path) !== "high") return set;
      const low = [...lows].find(({ dit }) => sameExperts(set.dit.path, dit.path));
      const reason = low ? expertDifference(set.dit, low.dit) : null;
      if (!low || reason !== null) {
        say(set.dit.path, loneExpert("low", low ? `${basename(low.dit.path)} does not fit: ${reason}` : null));
        return set;
      }
      lows.delete(low);
      const both16 = set.dit16 && low.dit16 && expertDifference(set.dit16, low.dit16) === null;
      const forms16 = both16 ? { dit16: set.dit16, ditLow16: low.dit16 } : { dit16: null, ditLow16: null };
      return { dit: set.dit, ditLow: low.dit, ...forms16 };
    });
  for (const { dit } of lows) say(dit.path, loneExpert("high", null));
  return [...joined, ...lows];
}

function loneExpert(partner: "high" | "low", why: string | null): string {
  const missing = why ?? `the ${partner}-noise expert that belongs to it is not in its folder`;
  return `One of two experts, which will run every step: ${missing}. Put that file beside it and add the folder again.`;
}

/** "high" or "low" as a word of its own, or before "noise". */
const expertWord = /(?<![a-z])(high|low)(?=[-_. ]?noise|[^a-z]|$)/i;

/** "high" or "low" where a file's name says which expert it is. */
export function expertOf(path: string): string | null {
  return expertWord.exec(plainStem(path))?.[1]?.toLowerCase() ?? null;
}

function sameExperts(high: string, low: string): boolean {
  const neutral = (path: string) => plainStem(path).replace(expertWord, "*").toLowerCase();
  return dirname(high) === dirname(low) && neutral(high) === neutral(low);
}

/** The name of both experts together: "x-high-720P" and "x-low-720P" are "x-720P". */
function pairedName(path: string): string {
  return plainStem(path)
    .replace(/(?<![a-z])(high|low)([-_. ]?noise)?(?![a-z])/i, "")
    .replace(/([-_. ])[-_. ]+/g, "$1")
    .replace(/^[-_. ]+|[-_. ]+$/g, "");
}

/** The known model that a transformer is one of; null where it is of none. */
function knownModelOf(dit: Inspection): string | null {
  const width = dit.sizes["dim"] ?? 0;
  if (beginsWithPicture(dit)) return width === 5120 ? "wan2.2-a14b" : null;
  return dit.uses.includes("text to video") ? (knownWidths.get(width) ?? null) : null;
}

function modelOf(set: TransformerSet, parts: readonly ModelPart[], folder: string | null): AddedModel {
  const { dit, dit16, ditLow, ditLow16 } = set;
  const name = (ditLow ? pairedName(dit.path) : plainStem(dit.path)).slice(0, 200) || "model";
  const knownAs = knownModelOf(dit);
  const model: AddedModel = {
    id: idOf(name),
    name,
    knownAs: knownModels.some(({ id }) => id === knownAs) ? knownAs : null,
    folder,
    manifestFolder: null,
    files: {
      dit: dit.path,
      ...(dit16 ? { dit16: dit16.path } : {}),
      ...(ditLow ? { ditLow: ditLow.path } : {}),
      ...(ditLow16 ? { ditLow16: ditLow16.path } : {}),
      vae: "",
      textEncoder: "",
      tokenizer: "",
    },
    textDim: dit.sizes["textDim"] ?? 0,
    latentChannels: dit.sizes["outChannels"] ?? 0,
    inputChannels: dit.sizes["inChannels"] ?? 0,
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
