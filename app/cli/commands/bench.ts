// rushes bench: times the engine's operations as shares of this machine's ceilings, measured in the same run.
import { RushesError } from "../../../contract/errors.ts";
import { kebabCase } from "../../../contract/settings/flags.ts";
import { untilAborted } from "../../library/model.ts";
import { openStudio } from "../../studio/open-studio.ts";
import type { BenchOptions } from "../../studio/studio.ts";
import { type Command, exitCodes, type OptionValues, textOption } from "../context.ts";

export const bench: Command = async ({ output, signal, library }, _words, options) => {
  const filter = textOption(options, "filter");
  const threads = readNumber(options, "threads");
  const endToEnd = readEndToEnd(options);
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    const report = await untilAborted(
      studio.bench(
        {
          signal,
          quick: options["quick"] === true,
          ...(filter === undefined ? {} : { filter }),
          ...(threads === null ? {} : { threads }),
          ...(endToEnd === null ? {} : { endToEnd }),
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

/** What to leave out of the whole clip; null without --end-to-end. The text encoder shrinks like the transformer. */
function readEndToEnd(options: OptionValues): NonNullable<BenchOptions["endToEnd"]> | null {
  const layers = readNumber(options, "layers");
  const frames = readNumber(options, "numFrames");
  const size = textOption(options, "resolution");
  if (options["endToEnd"] !== true) {
    if (layers === null && frames === null && size === undefined) return null;
    throw new RushesError("usage.invalid", {
      sentence: "--layers, --resolution and --num-frames belong to --end-to-end.",
      advice: "",
    });
  }
  const sides = size === undefined ? null : /^(\d{2,4})x(\d{2,4})$/.exec(size);
  if (size !== undefined && !sides)
    throw new RushesError("usage.invalid", { sentence: `--resolution is like 832x480, not "${size}".`, advice: "" });
  return {
    ...(layers === null ? {} : { layers, textLayers: Math.max(1, Math.round((layers * 24) / 30)) }),
    ...(frames === null ? {} : { frames }),
    ...(sides ? { width: Number(sides[1]), height: Number(sides[2]) } : {}),
  };
}

function readNumber(options: OptionValues, name: string): number | null {
  const text = textOption(options, name);
  if (text === undefined) return null;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new RushesError("usage.invalid", {
    sentence: `--${kebabCase(name)} is a whole number, not "${text}".`,
    advice: "",
  });
}
