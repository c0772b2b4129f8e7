// The words the desktop program was started with: a library, files to open, a question about the program, or what only the
// command line can do. Knows no Electron; the command line's own arguments are app/cli's.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** Nobody opens more at once on purpose. */
export const mostFiles = 50;

/** What a start asks for. */
export type CommandLine =
  | {
      readonly kind: "window";
      /** The library folder that was named; undefined where none was. */
      readonly library: string | undefined;
      /** Those that are there, absolute. */
      readonly files: readonly string[];
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "refused"; readonly sentence: string; readonly advice: string };

export interface CommandLineFacts {
  /** Relative paths are read from here. */
  readonly folder: string;
  readonly version: string;
  /** The command line's commands. */
  readonly commands: readonly string[];
}

const help = `Rushes makes video from a sentence, on this computer. This opens its window.

  rushes [--library FOLDER] [FILE...]

  FILE                a video made by Rushes: its settings come back; or a picture to begin with
  --library FOLDER    the library folder (default RUSHES_LIBRARY, else Videos/Rushes)
  -V, --version       print the version
  -h, --help          print this help
`;

/** The words meant for Rushes: without the program's own and, where Electron was started on a folder, without Electron's
 * and the folder. */
export function ownWords(argv: readonly string[], isPackaged: boolean): string[] {
  const words = argv.slice(1);
  return isPackaged ? words : words.slice(words.findIndex((word) => !word.startsWith("-")) + 1);
}

/** Reads the words. Switches it does not know are Chromium's; files that are not there are left out. */
export function readCommandLine(
  words: readonly string[],
  { folder, version, commands }: CommandLineFacts,
): CommandLine {
  const { values, tokens } = parseArgs({
    args: [...words],
    options: { library: { type: "string" } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const isSwitch = (...names: string[]) =>
    tokens.some(({ kind, index }) => kind === "option" && names.includes(words[index] ?? ""));
  const others = tokens.flatMap((token) => (token.kind === "positional" && token.value !== "" ? [token.value] : []));
  const [first = ""] = others;
  const isThere = existsSync(resolve(folder, first));
  if (isSwitch("-h", "--help") || (first === "help" && !isThere)) return { kind: "text", text: help };
  if (isSwitch("-V", "--version")) return { kind: "text", text: `${version}\n` };
  if (commands.includes(first) && !isThere)
    return {
      kind: "refused",
      sentence: `This program opens the window of Rushes and has no command \`${first}\`.`,
      advice: `Run \`./rushes ${first}\` in the folder of Rushes' sources, or \`rushes --help\`.`,
    };
  const { library } = values;
  // A switch in the folder's place was not meant as its name; such a folder can be written as ./--name.
  if (library !== undefined && (typeof library !== "string" || library === "" || library.startsWith("-")))
    return {
      kind: "refused",
      sentence: "--library needs the path of a folder.",
      advice: "For example: rushes --library Videos/Other",
    };
  // The launcher's own word for the window.
  const files = first === "window" && !isThere ? others.slice(1) : others;
  return {
    kind: "window",
    library: library === undefined ? undefined : resolve(folder, library),
    files: filesAmong(files, folder),
  };
}

function filesAmong(words: readonly string[], folder: string): string[] {
  return words
    .map((word) => pathOf(word, folder))
    .filter((path) => path !== null)
    .filter((path) => existsSync(path))
    .slice(0, mostFiles);
}

/** File managers hand over addresses; null for one of another machine. */
function pathOf(word: string, folder: string): string | null {
  if (!/^file:\//i.test(word)) return resolve(folder, word);
  try {
    return fileURLToPath(word);
  } catch {
    return null;
  }
}
