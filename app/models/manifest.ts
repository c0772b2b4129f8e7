// Reading manifest.json and config.json, the files beside a model's weights that say what the weights cannot.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import type { ModelManifest, ModelPaths } from "../../contract/models.ts";
import type { Capability } from "../../contract/settings/setting.ts";
import type { SettingLimits, Settings } from "../../contract/settings/derive.ts";

/** Rows of context that Wan models read. */
export const defaultTextLength = 512;

/** The manifest of one folder, with absolute paths; `id` is the folder's name. Throws checkpoint.corrupt. */
export function readManifest(folder: string, id: string): ModelManifest {
  const path = join(folder, "manifest.json");
  const value = readObject(path);
  const text = (key: string): string => {
    const found = value[key];
    if (typeof found === "string" && found !== "") return found;
    throw corrupt(path, `"${key}" is no text`);
  };
  const file = (key: string) => join(folder, text(key));
  const defaults = (value["defaults"] ?? {}) as Partial<Settings>;
  const files = {
    dit: file("dit"),
    ...(value["ditLow"] === undefined ? {} : { ditLow: file("ditLow") }),
    vae: file("vae"),
    textEncoder: file("textEncoder"),
    tokenizer: file("tokenizer"),
  };
  return {
    id,
    name: text("name"),
    architecture: text("architecture"),
    files,
    ...(value["dit16"] === undefined ? {} : { dit16: file("dit16") }),
    ...(value["ditLow16"] === undefined ? {} : { ditLow16: file("ditLow16") }),
    textLength: readTextLength([files.dit, files.textEncoder]),
    capabilities: unreadCapabilities(
      (value["capabilities"] as Capability[] | undefined) ?? impliedCapabilities(defaults),
      files,
    ),
    sizes: readSizes(path, value["sizes"] ?? []),
    defaults,
    limits: (value["limits"] ?? {}) as SettingLimits,
  };
}

/** text_len of the config.json beside the first of these files that has one; 512 otherwise. */
export function readTextLength(files: readonly string[]): number {
  for (const file of files) {
    const path = join(dirname(file), "config.json");
    if (!existsSync(path)) continue;
    const length = readObject(path)["text_len"];
    if (length === undefined) continue;
    if (typeof length === "number" && Number.isInteger(length) && length >= 1 && length <= 4096) return length;
    throw corrupt(path, `"text_len" is ${JSON.stringify(length)}`);
  }
  return defaultTextLength;
}

/** The models that Rushes runs are distilled; those whose manifest sets a top-k have SLA weights. */
function impliedCapabilities(defaults: Partial<Settings>): Capability[] {
  return defaults.slaTopk === undefined ? ["distilled"] : ["distilled", "sla"];
}

/** What a model can do as far as that is known before its headers are read: which modes only they say, where nobody has
 * said it. LoRAs go with every transformer that Rushes runs. */
export function unreadCapabilities(said: readonly Capability[], { ditLow }: Pick<ModelPaths, "ditLow">): Capability[] {
  const modes = said.includes("t2v") || said.includes("i2v") ? [] : (["t2v", "i2v"] as const);
  const experts = ditLow === undefined ? [] : (["twoExperts"] as const);
  return [...new Set([...said, ...modes, ...experts, "lora" as const])];
}

function readSizes(path: string, value: unknown): ModelManifest["sizes"] {
  const isSize = (pair: unknown): pair is [number, number] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((side) => Number.isInteger(side) && side > 0);
  if (!Array.isArray(value) || !value.every(isSize)) throw corrupt(path, `"sizes" is no list of [width, height]`);
  return value.map(([width, height]) => ({ width, height }));
}

function readObject(path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw corrupt(path, error instanceof Error ? error.message : String(error));
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw corrupt(path, "it is no object");
}

function corrupt(path: string, detail: string): RushesError {
  return new RushesError("checkpoint.corrupt", {
    sentence: `${path} cannot be read.`,
    advice: "Fetch the model's files again.",
    detail,
  });
}
