// Config files: our ids, or TurboDiffusion's form with its own spellings under `model:`. YAML, which JSON is a part of.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { RushesError } from "../../contract/errors.ts";
import { type NamedValues, readNamedValues } from "./sources.ts";

/** Reads a config file. Throws settings.unreadable, settings.unknown or settings.invalid, each naming the file. */
export function readConfigFile(file: string): NamedValues {
  return readConfig(readTextFile(file), file);
}

/** The values of a config file's text; `origin` names it in errors. */
export function readConfig(text: string, origin: string): NamedValues {
  return readNamedValues(keysOfConfig(text, origin), origin, "value");
}

/** The keys of a config file's text with their values as they stand there. Throws settings.unreadable. */
export function keysOfConfig(text: string, origin: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    const line = error instanceof Error ? (error.message.split("\n")[0] ?? "") : "";
    throw new RushesError("settings.unreadable", { sentence: `${origin} is not YAML.`, detail: line, cause: error });
  }
  if (document === null || document === undefined) return {};
  if (!isRecord(document)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${origin} is not a list of settings with values.`,
      advice: "Write one `name: value` on a line.",
    });
  }
  const { model, ...others } = document;
  if (!isRecord(model)) return document;
  // TurboDiffusion's form: a section that holds what concerns the model. `name` is the model itself.
  const { name, ...section } = model;
  return { ...section, ...(name === undefined ? {} : { model: name }), ...others };
}

/** The text of a settings or prompts file, without a byte order mark. Throws settings.unreadable, also where it is not UTF-8:
 * read as if it were, its letters would be lost. */
export function readTextFile(file: string): string {
  const bytes = readWholeFile(file);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new RushesError("settings.unreadable", {
      sentence: `${file} is not UTF-8 text.`,
      advice: saveAsUtf8,
      cause: error,
    });
  }
}

/** What to do with a list or file whose letters cannot be read. */
export const saveAsUtf8 = 'Save it as UTF-8, in Excel as "CSV UTF-8".';

/** The bytes of a settings or prompts file. Throws settings.unreadable. */
export function readWholeFile(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    const sentences: Record<string, string> = {
      ENOENT: `${file} does not exist.`,
      EISDIR: `${file} is a folder, not a file.`,
      EACCES: `${file} may not be read.`,
    };
    throw new RushesError("settings.unreadable", {
      sentence: sentences[reason ?? ""] ?? `${file} cannot be read.`,
      advice: "Check the path.",
      detail: reason,
      cause: error,
    });
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
