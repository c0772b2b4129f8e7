// rushes inspect FILE...: what a checkpoint's header says, before anything is loaded.
import { asRushesError, RushesError } from "../../../contract/errors.ts";
import type { Inspection } from "../../engine/addon.ts";
import { untilAborted } from "../../library/model.ts";
import { openStudio } from "../../studio/open-studio.ts";
import { type Command, exitCodes } from "../context.ts";
import { formatBytes } from "../format.ts";
import type { Output } from "../output.ts";

const namesShown = 10;

export const inspect: Command = async ({ output, signal, library }, files) => {
  if (files.length === 0)
    throw new RushesError("usage.invalid", {
      sentence: "There is no file to inspect.",
      advice: "rushes inspect FILE...",
    });
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    const results: ({ path: string; error: RushesError } | Inspection)[] = [];
    for (const path of files) {
      try {
        const inspection = await untilAborted(studio.inspect(path), signal);
        results.push(inspection);
        if (results.length > 1) output.print("");
        printInspection(output, inspection);
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        const error = asRushesError(thrown);
        results.push({ path, error });
        if (!output.json) output.error(error);
      }
    }
    output.printJson({ files: results });
    return results.some((result) => "error" in result) ? exitCodes.failed : exitCodes.done;
  } finally {
    await studio.close();
  }
};

function printInspection(output: Output, inspection: Inspection): void {
  const { path, bytes, container, family, architecture, layout, prefix, tensors, parameters } = inspection;
  const facts: [string, string][] = [
    ["Container", container],
    ["Family", [family, architecture].filter(Boolean).join(", ")],
    ["Layout", prefix ? `${layout}, prefix ${prefix}` : layout],
    ["Sizes", pairs(inspection.sizes)],
    ["Tensors", `${tensors}, ${parameters.toLocaleString("en-US")} parameters`],
    ["Types", pairs(inspection.dtypes)],
    ["Quantization", quantization(inspection)],
    ["SLA weights", inspection.sla ? "yes" : "no"],
    ["Missing", names(inspection.missing)],
    ["Unexpected", names(inspection.unexpected)],
    ["Wrong shape", names(inspection.wrongShape)],
    ["Complete", inspection.complete ? "yes" : "no"],
    ["Can be used for", inspection.uses.join(", ") || "nothing here"],
    ["Refused", inspection.refused],
  ];
  output.print(`${path} (${formatBytes(bytes)})`);
  if (inspection.summary) output.print(inspection.summary);
  for (const [label, value] of facts) if (value) output.print(`  ${label.padEnd(16)}${value}`);
}

function quantization({ quantization: form, quantizedLayers }: Inspection): string {
  return quantizedLayers > 0 ? `${form}, ${quantizedLayers} layers` : form;
}

function pairs(values: Record<string, number>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function names(list: readonly string[]): string {
  if (list.length === 0) return "";
  const more = list.length > namesShown ? `, and ${list.length - namesShown} more` : "";
  return `${list.length}: ${list.slice(0, namesShown).join(", ")}${more}`;
}
