// From a choice (a name, or files) to a model that can run: its files found, their headers read by the engine, each the
// kind of file its place needs.
import { existsSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import { type ModelChoice, type ModelManifest, pictureChannels } from "../../contract/models.ts";
import type { Capability } from "../../contract/settings/setting.ts";
import type { Inspection } from "../engine/addon.ts";
import { findModel, unknownModel } from "./catalogue.ts";
import { readTextLength, unreadCapabilities } from "./manifest.ts";

/** A model whose files exist, were read (headers only) and fit their places. Paths are absolute. */
export interface Model extends ModelManifest {
  /** files.tokenizer is "" when none was found; generating then says where to get it. */
  readonly inspections: ModelInspections;
}

export interface ModelInspections {
  readonly dit: Inspection;
  readonly dit16: Inspection | null;
  readonly ditLow: Inspection | null;
  readonly ditLow16: Inspection | null;
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
  const { vae, textEncoder } = manifest.files;
  const transformer = (path: string | undefined) => (path === undefined ? null : inspectAs(inspect, path, "wan-dit"));
  const [dit, dit16, ditLow, ditLow16, vaeHeader, textHeader] = await Promise.all([
    inspectAs(inspect, manifest.files.dit, "wan-dit"),
    transformer(manifest.dit16),
    transformer(manifest.files.ditLow),
    transformer(manifest.ditLow16),
    inspectAs(inspect, vae, "wan-vae"),
    inspectAs(inspect, textEncoder, "umt5"),
  ]);
  if (ditLow) checkExperts(dit, ditLow);
  if (dit16 && ditLow16) checkExperts(dit16, ditLow16);
  return {
    ...manifest,
    architecture: dit.architecture || manifest.architecture,
    capabilities: capabilitiesOf(manifest.capabilities, dit, ditLow !== null),
    inspections: { dit, dit16, ditLow, ditLow16, vae: vaeHeader, textEncoder: textHeader },
  };
}

/** What headers say of a model, whatever its manifest says. */
const fromHeaders: readonly Capability[] = ["sla", "t2v", "i2v", "twoExperts", "lora"];

function capabilitiesOf(said: readonly Capability[], dit: Inspection, twoExperts: boolean): Capability[] {
  return [
    ...said.filter((capability) => !fromHeaders.includes(capability)),
    ...(dit.sla ? (["sla"] as const) : []),
    beginsWithPicture(dit) ? "i2v" : "t2v",
    ...(twoExperts ? (["twoExperts"] as const) : []),
    "lora",
  ];
}

/** True of a transformer that is given a picture in its input channels. */
export function beginsWithPicture({ sizes }: Pick<Inspection, "sizes">): boolean {
  return sizes["inChannels"] === pictureChannels;
}

/** Sizes that both experts have in common, by what they are called. */
const expertSizes = { dim: "width", layers: "blocks", inChannels: "input channels", textDim: "text width" } as const;

/** Throws checkpoint.unsupported unless the two are experts of one model in one form. */
export function checkExperts(high: Inspection, low: Inspection): void {
  const difference = expertDifference(high, low);
  if (difference === null) return;
  throw new RushesError("checkpoint.unsupported", {
    sentence: `${basename(low.path)} does not go with ${basename(high.path)}: ${difference}.`,
    advice: "Name the low-noise expert of the same model in the same form, -quant beside -quant.",
    detail: `${high.summary}\n${low.summary}`,
  });
}

/** In what two transformers differ that are to run as one model; null where they fit. */
export function expertDifference(high: Inspection, low: Inspection): string | null {
  const sizes = Object.entries(expertSizes).map(([id, name]) => [name, high.sizes[id], low.sizes[id]] as const);
  const facts = [
    ["architecture", high.architecture, low.architecture],
    ...sizes,
    ["quantization", high.quantization, low.quantization],
    ["SLA weights", high.sla ? "there" : "absent", low.sla ? "there" : "absent"],
  ] as const;
  const differing = facts.find(([, one, other]) => one !== other);
  return differing ? `${differing[0]} ${differing[2] ?? "unknown"} instead of ${differing[1] ?? "unknown"}` : null;
}

/** The manifest that a choice amounts to, `added` models among those that have names. */
export function manifestOf(choice: ModelChoice, added: readonly ModelManifest[] = []): ModelManifest {
  const { name, ditPath, ditLowPath, vaePath, textEncoderPath, tokenizerPath } = choice;
  const named = findModel(name ?? "auto", added);
  const filled = name !== undefined || ditPath === undefined ? named : null;
  if (!filled && ditPath === undefined) throw unknownModel(name ?? "auto", added);
  const replaced = [ditPath, ditLowPath, vaePath, textEncoderPath].some((path) => path !== undefined) || tokenizerPath;
  if (filled && !replaced) return filled;

  const dit = absolute(ditPath) ?? filled?.files.dit;
  const ditLow = absolute(ditLowPath) ?? (ditPath === undefined ? filled?.files.ditLow : undefined);
  const vae = absolute(vaePath) ?? filled?.files.vae;
  const textEncoder = absolute(textEncoderPath) ?? filled?.files.textEncoder;
  if (dit === undefined) throw unknownModel(name ?? "auto", added);
  if (vae === undefined) throw unnamed(dit, "a VAE", "--vae_path");
  if (textEncoder === undefined) throw unnamed(dit, "a text encoder", "--text_encoder_path");
  const own = textEncoderPath === undefined ? filled?.files.tokenizer : undefined;
  const tokenizer = absolute(tokenizerPath) ?? (own || tokenizerBeside(textEncoder) || "");
  const files = { dit, ...(ditLow === undefined ? {} : { ditLow }), vae, textEncoder, tokenizer };
  const label = name ?? basename(dit, extname(dit));
  if (filled && ditPath === undefined) {
    // The 16-bit form of an expert that was replaced is another model's.
    const { ditLow16, ...others } = filled;
    const low16 = ditLowPath === undefined && ditLow16 !== undefined ? { ditLow16 } : {};
    return { ...others, ...low16, files, textLength: readTextLength([dit, textEncoder]) };
  }
  return {
    id: filled ? basename(dit, extname(dit)) : label,
    name: filled ? basename(dit, extname(dit)) : label,
    architecture: "",
    files,
    textLength: readTextLength([dit, textEncoder]),
    capabilities: unreadCapabilities(["distilled"], files),
    sizes: [],
    defaults: filled?.defaults ?? {},
    limits: filled?.limits ?? {},
  };
}

const familyNames: Readonly<Record<string, string>> = {
  "wan-dit": "a Wan transformer",
  "wan-vae": "a Wan VAE",
  umt5: "a umT5 text encoder",
  lora: "a LoRA",
};

/** The header of a file of that family. Throws checkpoint.* for whatever else is there. */
export async function inspectAs(inspect: Inspect, path: string, family: string): Promise<Inspection> {
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
