// rushes inspect FILE...: what a checkpoint's header says, before anything is loaded.
import { asRushesError, RushesError } from "../../../contract/errors.ts";
import { inspectionLines } from "../../../contract/inspection-text.ts";
import { formatBytes } from "../../../contract/format-bytes.ts";
import type { Inspection } from "../../engine/addon.ts";
import { untilAborted } from "../../library/model.ts";
import { openStudio } from "../../studio/open-studio.ts";
import { type Command, exitCodes } from "../context.ts";
import type { Output } from "../output.ts";

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
  output.print(`${inspection.path} (${formatBytes(inspection.bytes)})`);
  if (inspection.summary) output.print(inspection.summary);
  for (const [label, value] of inspectionLines(inspection)) output.print(`  ${label.padEnd(16)}${value}`);
}
