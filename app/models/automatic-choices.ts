// What "auto" becomes for weights and attention, and which transformer file a run takes.
//
//   asked       transformer file       becomes
//   auto        int8 (-quant)          int8, that file
//   auto        16-bit                 off, that file: quantizing a file nobody quantized is the user's decision, or the
//                                      manifest's, whose default is "asked" here
//   int8        int8                   int8, that file
//   int8        16-bit                 int8, quantized while loading
//   off         16-bit                 off, that file
//   off         int8, model has dit16  off, the 16-bit file
//   off         int8                   refused
//
// Of a model of two experts both files are chosen, in the same form.
import { basename } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import type { Settings } from "../../contract/settings/derive.ts";
import type { Inspection, ModelFiles } from "../engine/addon.ts";
import type { Model } from "./find-model.ts";

export interface AutomaticChoices {
  dit: string;
  /** The expert for low noise, where there are two. */
  ditLow?: string;
  quantLinear: Exclude<Settings["quantLinear"], "auto">;
  attentionType: Exclude<Settings["attentionType"], "auto">;
}

export function isQuantized(header: Pick<Inspection, "quantizedLayers">): boolean {
  return header.quantizedLayers > 0;
}

/** Throws settings.invalid when the file cannot do what was asked. */
export function chooseAutomatic(
  asked: Pick<Settings, "quantLinear" | "attentionType">,
  model: Pick<Model, "files" | "dit16" | "ditLow16" | "inspections">,
): AutomaticChoices {
  const { dit, dit16 } = model.inspections;
  const quantized = isQuantized(dit);
  if (asked.quantLinear === "off" && quantized) {
    if (!dit16 || model.dit16 === undefined) throw onlyInt8(model.files.dit);
    const { ditLow } = model.files;
    if (ditLow !== undefined && model.ditLow16 === undefined) throw onlyInt8(ditLow);
    const low = ditLow === undefined || model.ditLow16 === undefined ? {} : { ditLow: model.ditLow16 };
    return { dit: model.dit16, ...low, quantLinear: "off", attentionType: chooseAttention(asked.attentionType, dit16) };
  }
  const quantLinear = asked.quantLinear === "auto" ? (quantized ? "int8" : "off") : asked.quantLinear;
  const attentionType = chooseAttention(asked.attentionType, dit);
  return { ...transformersOf(model.files), quantLinear, attentionType };
}

/** What the engine is given: the chosen transformers with the model's other files. */
export function engineFiles(
  chosen: Pick<AutomaticChoices, "dit" | "ditLow">,
  { files: { vae, textEncoder }, textLength }: Pick<Model, "files" | "textLength">,
): ModelFiles {
  return { ...transformersOf(chosen), vae, textEncoder, textLength };
}

/** A model of one transformer has no low one, not even as undefined. */
function transformersOf({ dit, ditLow }: Pick<AutomaticChoices, "dit" | "ditLow">) {
  return ditLow === undefined ? { dit } : { dit, ditLow };
}

function onlyInt8(path: string): RushesError {
  return new RushesError("settings.invalid", {
    sentence: `Quant Linear is off, but ${basename(path)} holds int8 weights only.`,
    advice: "Leave Quant Linear at auto, or choose the transformer file without -quant.",
  });
}

function chooseAttention(asked: Settings["attentionType"], header: Inspection): AutomaticChoices["attentionType"] {
  if (asked === "auto") return header.sla ? "sagesla" : "original";
  if (asked !== "original" && !header.sla)
    throw new RushesError("settings.invalid", {
      sentence: `Attention ${asked} needs SLA weights (proj_l), and ${basename(header.path)} has none.`,
      advice: "Use original attention, or a checkpoint trained with SLA.",
    });
  return asked;
}
