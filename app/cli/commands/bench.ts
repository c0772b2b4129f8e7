// rushes bench: times the engine's operations as shares of this machine's ceilings, measured in the same run.
import { RushesError } from "../../../contract/errors.ts";
import { untilAborted } from "../../library/model.ts";
import { openStudio } from "../../studio/open-studio.ts";
import { type Command, exitCodes, type OptionValues, textOption } from "../context.ts";

export const bench: Command = async ({ output, signal, library }, _words, options) => {
  const filter = textOption(options, "filter");
  const threads = readThreads(options);
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    const report = await untilAborted(
      studio.bench(
        {
          signal,
          quick: options["quick"] === true,
          ...(filter === undefined ? {} : { filter }),
          ...(threads === null ? {} : { threads }),
        },
        (line) => {
          output.print(line);
        },
      ),
      signal,
    );
    output.printJson(report);
    if (!isWrong(report)) return exitCodes.done;
    output.note("A kernel's result was wrong: run `rushes doctor`.");
    return exitCodes.failed;
  } finally {
    await studio.close();
  }
};

/** The engine checks each result before it times the operation. */
function isWrong(report: unknown): boolean {
  const { results } = report as { results?: { correct?: boolean }[] };
  return results?.some(({ correct }) => correct === false) ?? false;
}

function readThreads(options: OptionValues): number | null {
  const text = textOption(options, "threads");
  if (text === undefined) return null;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new RushesError("usage.invalid", { sentence: `--threads is a whole number, not "${text}".`, advice: "" });
}
