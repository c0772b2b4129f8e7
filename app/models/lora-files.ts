// LoRA files: where they lie, which of them can be chosen by name, and from what a person wrote to files that the engine
// was asked about. Which paths a door may name is the door's to say.
import { type Stats, statSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import type { LoraEntry } from "../../contract/channels/models.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { ModelManifest } from "../../contract/models.ts";
import { type Lora, loraName } from "../../contract/settings/derive.ts";
import type { EngineLora } from "../engine/addon.ts";
import { type Inspect, inspectAs, type Model } from "./find-model.ts";
import { scanFolder } from "./scan-files.ts";

/** Makes a path that somebody named one that may be used. Throws path.refused. */
export type AllowedPath = (path: string) => Promise<string>;

/** More than anybody looks through. */
const mostListed = 500;
/** Folders within folders. */
const deepest = 3;

/** The folder of LoRAs that come with a model. */
export function loraFolderOf({ files }: Pick<ModelManifest, "files">): string {
  return join(dirname(files.dit), "loras");
}

export interface LoraPlaces {
  /** Where a name is looked for, the first place first, folders within included. */
  readonly named: readonly string[];
  /** Every folder whose files have names: a path to one of them says no more than its name. */
  readonly known: readonly string[];
}

/** Each LoRA with its file's absolute path, after a look at the file. Throws lora.missing, checkpoint.*, settings.invalid,
 * and what `allowed` throws. */
export async function findLoras(
  given: readonly Lora[],
  model: Pick<Model, "name" | "capabilities">,
  places: LoraPlaces,
  inspect: Inspect,
  allowed: AllowedPath,
): Promise<Lora[]> {
  const found: Lora[] = [];
  for (const lora of given) {
    checkExpert(lora, model);
    const file = await pathOf(lora.file, places, allowed);
    await inspectAs(inspect, file, "lora");
    found.push({ ...lora, file });
  }
  await checkTwice(found);
  return found;
}

/** The files of these folders and the folders within that may be LoRAs, with what their headers say; of equal names the
 * first, of the uppermost folder. */
export async function listLoras(folders: readonly string[], inspect: Inspect): Promise<LoraEntry[]> {
  const paths = new Map<string, string>();
  for (const path of await filesIn(folders)) if (!paths.has(basename(path))) paths.set(basename(path), path);
  return Promise.all([...paths].map(([name, path]) => entryOf(name, path, inspect)));
}

/** The path of the file that is called so, with or without its ending: the one that listLoras gives for the name; null
 * where there is none. */
export async function namedLora(name: string, folders: readonly string[]): Promise<string | null> {
  if (/[/\\]/.test(name) || name === "." || name === "..") return null;
  const wanted = [name, `${name}.safetensors`];
  for (const folder of folders) {
    const upper = wanted.map((file) => join(folder, file)).find(isFile);
    const found = upper ?? (await filesIn([folder])).find((path) => wanted.includes(basename(path)));
    if (found !== undefined) return found;
  }
  return null;
}

async function hasName(path: string, folders: readonly string[]): Promise<boolean> {
  return folders.includes(dirname(path)) || (await filesIn(folders)).includes(path);
}

/** Nearest first in each folder. */
async function filesIn(folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all(folders.map((folder) => scanFolder(folder, deepest, mostListed)));
  return found.flatMap(({ checkpoints }) => checkpoints).slice(0, mostListed);
}

/** As the engine takes them; files are absolute. */
export function engineLoras(loras: readonly Lora[]): EngineLora[] {
  return loras.map(({ file, strength, expert }) => ({ path: file, strength, expert }));
}

async function pathOf(file: string, { named, known }: LoraPlaces, allowed: AllowedPath): Promise<string> {
  const path = isAbsolute(file) && (await hasName(resolve(file), known)) ? resolve(file) : null;
  const found = path ?? (await namedLora(file, named)) ?? (/[/\\]/.test(file) ? await allowed(file) : null);
  if (found !== null && isAbsolute(found) && factsOf(found)) return found;
  throw new RushesError("lora.missing", {
    sentence: `There is no LoRA ${file}.`,
    advice: `Put its file into ${named[0] ?? "the library"} and name it, or check the path.`,
  });
}

function checkExpert({ file, expert }: Lora, { name, capabilities }: Pick<Model, "name" | "capabilities">): void {
  if (expert === "both" || capabilities.includes("twoExperts")) return;
  throw new RushesError("settings.invalid", {
    sentence: `LoRA ${loraName({ file })} is for the ${expert}-noise expert, and ${name} has one transformer for all steps.`,
    advice: "Leave its expert at both.",
  });
}

/** A file may go to both experts with a strength for each. */
async function checkTwice(loras: readonly Lora[]): Promise<void> {
  const taken = new Set<string>();
  for (const { file, expert } of loras) {
    const real = await realpath(file).catch(() => file);
    for (const each of expert === "both" ? ["high", "low"] : [expert]) {
      const key = JSON.stringify([real, each]);
      if (taken.has(key))
        throw new RushesError("settings.invalid", {
          sentence: `LoRA ${basename(file)} is given twice${expert === "both" ? "" : ` for the ${expert}-noise expert`}.`,
          advice: "Give it once, with the strength that both would have together.",
        });
      taken.add(key);
    }
  }
}

async function entryOf(name: string, path: string, inspect: Inspect): Promise<LoraEntry> {
  try {
    const { sizes, bytes } = await inspectAs(inspect, path, "lora");
    return { name, path, bytes, rank: sizes["rank"] ?? null, problem: null };
  } catch (error) {
    return { name, path, bytes: factsOf(path)?.size ?? 0, rank: null, problem: asRushesError(error).message };
  }
}

function isFile(path: string): boolean {
  return factsOf(path)?.isFile() ?? false;
}

/** null: there is nothing, or nothing that can be looked at. */
function factsOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
