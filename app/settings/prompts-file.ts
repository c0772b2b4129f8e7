// Prompt lists: many prompts, each with settings of its own, from .txt, .csv or .json.
import { extname } from "node:path";
import { parse } from "csv-parse/sync";
import { RushesError } from "../../contract/errors.ts";
import { checkSetting } from "../../contract/settings/derive.ts";
import { isRecord, readTextFile } from "./config-file.ts";
import { invalid, type NamedValues, readNamedValues } from "./sources.ts";

/** One prompt of a list with the settings beside it. `origin` is "file.csv line 3". */
export interface PromptRow extends NamedValues {
  readonly prompt: string;
  readonly origin: string;
}

/** Reads a list: .txt has a prompt a line, .csv a column `prompt` and columns named after settings, .json a list of
 * texts or of objects with `prompt` and settings. Throws settings.unreadable, settings.unknown or settings.invalid. */
export function readPromptsFile(file: string): PromptRow[] {
  const rows = rowsOf(file, readTextFile(file));
  if (rows.length === 0) {
    throw new RushesError("settings.unreadable", {
      sentence: `${file} has no prompts in it.`,
      advice: "Write one prompt on a line.",
    });
  }
  return rows;
}

function rowsOf(file: string, text: string): PromptRow[] {
  switch (extname(file).toLowerCase()) {
    case ".csv":
      return csvRows(file, text);
    case ".json":
      return jsonRows(file, text);
    default:
      return textRows(file, text);
  }
}

function textRows(file: string, text: string): PromptRow[] {
  return text
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trim(), origin: `${file} line ${index + 1}` }))
    .filter(({ line }) => line !== "")
    .map(({ line, origin }) => row({ prompt: line }, origin, "text"));
}

function csvRows(file: string, text: string): PromptRow[] {
  let records: { record: Record<string, string>; info: { lines: number } }[];
  try {
    records = parse(text, { columns: true, info: true, skip_empty_lines: true, trim: true, bom: true });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new RushesError("settings.unreadable", {
      sentence: `${file} is not a table of values.`,
      detail,
      cause: error,
    });
  }
  return records.map(({ record, info }) => {
    const given = Object.entries(record).filter(([key, value]) => value !== "" || key === "prompt");
    return row(Object.fromEntries(given), `${file} line ${info.lines}`, "text");
  });
}

function jsonRows(file: string, text: string): PromptRow[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new RushesError("settings.unreadable", { sentence: `${file} is not JSON.`, detail, cause: error });
  }
  if (!Array.isArray(document)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${file} is not a list.`,
      advice: "Write a list of texts, or of objects with a prompt.",
    });
  }
  return document.map((item: unknown, index) => {
    const origin = `${file} item ${index + 1}`;
    if (typeof item === "string") return row({ prompt: item }, origin, "value");
    if (isRecord(item)) return row(item, origin, "value");
    throw new RushesError("settings.unreadable", {
      sentence: `${origin} is neither a text nor an object.`,
      advice: "Write a list of texts, or of objects with a prompt.",
    });
  });
}

function row(object: Record<string, unknown>, origin: string, form: "text" | "value"): PromptRow {
  if (!("prompt" in object)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${origin} has no prompt.`,
      advice: "Name the column or key `prompt`.",
    });
  }
  const { prompt, ...settings } = object;
  const problem = checkSetting("prompt", prompt);
  if (problem) throw invalid(problem, origin);
  return { ...readNamedValues(settings, origin, form), prompt: String(prompt), origin };
}
