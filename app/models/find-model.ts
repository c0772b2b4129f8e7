// From a choice (a name, or files) to a model that can run: its files found, their headers read by the engine, each the
// kind of file its place needs.
import { existsSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import type { ModelChoice, ModelManifest } from "../../contract/models.ts";
import type { Capability } from "../../contract/settings/setting.ts";
import type { Inspection } from "../engine/addon.ts";
import { findModel, unknownModel } from "./catalogue.ts";
import { readTextLength } from "./manifest.ts";

/** A model whose files exist, were read (headers only) and fit their places. Paths are absolute. */
export interface Model extends ModelManifest {
  /** files.tokenizer is "" when none was found; generating then says where to get it. */
  readonly inspections: ModelInspections;
}

export interface ModelInspections {
  readonly dit: Inspection;
  readonly dit16: Inspection | null;
  readonly vae: Inspection;
  readonly textEncoder: Inspection;
}

export type Inspect = (path: string) => Promise<Inspection>;

/** Throws model.unknown, settings.invalid (a file is not named) or checkpoint.*, before anything large is read. */
export async function findChosenModel(
  choice: ModelChoice,
  inspect: Inspect,
  added: readonly ModelManifest[] = [],
): Promise<Model> {
  const manifest = manifestOf(choice, added);
  const { dit, vae, textEncoder } = manifest.files;
  const [ditHeader, dit16Header, vaeHeader, textHeader] = await Promise.all([
    inspectAs(inspect, dit, "wan-dit"),
    manifest.dit16 === undefined ? null : inspectAs(inspect, manifest.dit16, "wan-dit"),
    inspectAs(inspect, vae, "wan-vae"),
    inspectAs(inspect, textEncoder, "umt5"),
  ]);
  const others = manifest.capabilities.filter((capability) => capability !== "sla");
  const capabilities: Capability[] = ditHeader.sla ? [...others, "sla"] : others;
  return {
    ...manifest,
    architecture: ditHeader.architecture || manifest.architecture,
    capabilities,
    inspections: { dit: ditHeader, dit16: dit16Header, vae: vaeHeader, textEncoder: textHeader },
  };
}

/** The manifest that a choice amounts to, `added` models among those that have names. */
export function manifestOf(choice: ModelChoice, added: readonly ModelManifest[] = []): ModelManifest {
  const { name, ditPath, vaePath, textEncoderPath, tokenizerPath } = choice;
  const named = findModel(name ?? "auto", added);
  const filled = name !== undefined || ditPath === undefined ? named : null;
  if (!filled && ditPath === undefined) throw unknownModel(name ?? "auto", added);
  if (filled && ditPath === undefined && vaePath === undefined && textEncoderPath === undefined && !tokenizerPath)
    return filled;

  const dit = absolute(ditPath) ?? filled?.files.dit;
  const vae = absolute(vaePath) ?? filled?.files.vae;
  const textEncoder = absolute(textEncoderPath) ?? filled?.files.textEncoder;
  if (dit === undefined) throw unknownModel(name ?? "auto", added);
  if (vae === undefined) throw unnamed(dit, "a VAE", "--vae_path");
  if (textEncoder === undefined) throw unnamed(dit, "a text encoder", "--text_encoder_path");
  const tokenizer = absolute(tokenizerPath) ?? tokenizerBeside(textEncoder) ?? "";
  const files = { dit, vae, textEncoder, tokenizer };
  const label = name ?? basename(dit, extname(dit));
  if (filled && ditPath === undefined)
    return { ...filled, files, textLength: readTextLength([dit, textEncoder]) };
  return {
    id: filled ? basename(dit, extname(dit)) : label,
    name: filled ? basename(dit, extname(dit)) : label,
    architecture: "",
    files,
    textLength: readTextLength([dit, textEncoder]),
    capabilities: ["distilled"],
    sizes: [],
    defaults: filled?.defaults ?? {},
    limits: filled?.limits ?? {},
  };
}

const familyNames: Readonly<Record<string, string>> = {
  "wan-dit": "a Wan transformer",
  "wan-vae": "a Wan VAE",
  umt5: "a umT5 text encoder",
};

async function inspectAs(inspect: Inspect, path: string, family: string): Promise<Inspection> {
  if (path === "")
    throw new RushesError("checkpoint.missing", {
      sentence: `${sentenceStart(familyNames[family])} that fits this model has not been found.`,
      advice: "Add the file, or the folder it lies in, under Models.",
    });
  const facts = statSync(path, { throwIfNoEntry: false });
  if (!facts)
    throw new RushesError("checkpoint.missing", {
      sentence: `There is no file ${path}.`,
      advice: `Check the path; it should be ${familyNames[family]}.`,
    });
  if (facts.isDirectory())
    throw new RushesError("checkpoint.unsupported", {
      sentence: `${path} is a folder, not a file.`,
      advice: `Name the file of ${familyNames[family]} inside it.`,
    });
  const header = await inspect(path);
  const name = basename(path);
  if (header.family !== family)
    throw new RushesError("checkpoint.unsupported", {
      sentence: `${name} is ${familyNames[header.family] ?? "not a file Rushes knows"}, and ${familyNames[family]} is needed.`,
      advice: "Run `rushes inspect` on the file to see what it is.",
      detail: header.summary,
    });
  if (header.refused !== "")
    throw new RushesError("checkpoint.unsupported", {
      sentence: `${name} cannot be used: ${header.refused}.`,
      detail: header.summary,
    });
  if (!header.complete) {
    const { missing, wrongShape, unexpected } = header;
    const groups = [
      named(missing, "missing"),
      named(wrongShape, "of the wrong shape"),
      named(unexpected, "unexpected"),
    ].filter((group) => group !== "");
    throw new RushesError("checkpoint.incomplete", {
      sentence: `${name} is not a complete ${familyNames[family]?.replace(/^an? /, "")}: ${groups.join("; ")}.`,
      detail: [...missing, ...wrongShape, ...unexpected].join("\n"),
    });
  }
  return header;
}

function sentenceStart(noun = "a file"): string {
  return `${noun[0]?.toUpperCase()}${noun.slice(1)}`;
}

function named(tensors: readonly string[], what: string): string {
  if (tensors.length === 0) return "";
  const more = tensors.length > 2 ? ", ..." : "";
  return `${tensors.length} tensors ${what} (${tensors.slice(0, 2).join(", ")}${more})`;
}

function unnamed(dit: string, what: string, flag: string): RushesError {
  return new RushesError("settings.invalid", {
    sentence: `${basename(dit)} needs ${what} beside it.`,
    advice: `Name it with ${flag}.`,
  });
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined || path === "" ? undefined : resolve(path);
}

function tokenizerBeside(textEncoder: string): string | undefined {
  const path = join(dirname(textEncoder), "tokenizer.json");
  return existsSync(path) ? path : undefined;
}
