// Prompt lists: many prompts, each with settings of its own, from .txt, .csv, .json or .jsonl.
import { extname } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import type { PromptForm } from "../../contract/channels/generate.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import { checkSetting } from "../../contract/settings/derive.ts";
import { isRecord, readTextFile, saveAsUtf8 } from "./config-file.ts";
import { invalid, type NamedValues, readNamedValues } from "./sources.ts";

/** One prompt of a list with the settings beside it. `origin` is "file.csv line 3". */
export interface PromptRow extends NamedValues {
  readonly prompt: string;
  readonly origin: string;
}

export interface PromptRows {
  readonly rows: readonly PromptRow[];
  /** What is wrong with the other rows, or with the list, in its order: settings.unreadable, settings.unknown or
   * settings.invalid. */
  readonly problems: readonly RushesError[];
}

/** Reads a list: .txt has a prompt a line, .csv a column `prompt` and columns named after settings, .json a list of
 * texts or of objects with `prompt` and settings, .jsonl one of these a line; no ending is as .txt,
 * any other is refused. Throws settings.unreadable,
 * settings.unknown or settings.invalid. */
export function readPromptsFile(file: string): PromptRow[] {
  const form = formOf(file);
  const { rows, problems } = readPromptRows(readTextFile(file), form, file);
  if (problems[0]) throw problems[0];
  if (rows.length === 0) {
    throw new RushesError("settings.unreadable", {
      sentence: `${file} has no prompts in it.`,
      advice: "Write one prompt on a line.",
    });
  }
  return [...rows];
}

const forms: Readonly<Record<string, PromptForm>> = {
  "": "txt",
  ".txt": "txt",
  ".csv": "csv",
  ".json": "json",
  ".jsonl": "jsonl",
};

/** Of a pipe, which has no ending, the lines. Anything else would make a video of every line of it. */
function formOf(file: string): PromptForm {
  const form = forms[extname(file).toLowerCase()];
  if (form) return form;
  throw new RushesError("settings.unreadable", {
    sentence: `${file} is no list of prompts that Rushes reads.`,
    advice: "Give a .txt file with a prompt on each line, a .csv table, a .json or a .jsonl list.",
  });
}

/** Reads a list's text. Rows that cannot be used are told and left out. `origin` names the list, "" for none; `isPrompt`
 * false leaves the prompts themselves unchecked, for what is not a prompt yet. */
export function readPromptRows(text: string, form: PromptForm, origin: string, isPrompt = true): PromptRows {
  const name = origin === "" ? "The text" : origin;
  const place = (what: string) => (origin === "" ? `${what[0]?.toUpperCase()}${what.slice(1)}` : `${origin} ${what}`);
  const rows: PromptRow[] = [];
  const problems: RushesError[] = [];
  try {
    for (const { where, object, written } of itemsOf(form, text, name, place)) {
      try {
        if (object instanceof RushesError) throw object;
        rows.push(row(object, place(where), written, isPrompt));
      } catch (error) {
        problems.push(asRushesError(error));
      }
    }
  } catch (error) {
    problems.push(asRushesError(error));
  }
  return { rows, problems };
}

/** "list.csv line 3" of "line 3" */
type Place = (what: string) => string;

interface Item {
  /** "line 3" */
  readonly where: string;
  /** What stands there, or why it cannot be read. */
  readonly object: unknown;
  readonly written: "text" | "value";
}

function itemsOf(form: PromptForm, text: string, name: string, place: Place): Item[] {
  if (form === "csv") return csvItems(text, name, place);
  if (form === "json") return jsonItems(text, name);
  const lines = text.split(/\r?\n/).map((line, index) => ({ line: line.trim(), where: `line ${index + 1}` }));
  const written = lines.filter(({ line }) => line !== "");
  if (form === "jsonl") return written.map(({ line, where }) => jsonLine(line, where, place));
  return written.map(({ line, where }): Item => ({ object: { prompt: line }, where, written: "text" }));
}

function csvItems(text: string, name: string, place: Place): Item[] {
  const header = /^.*/.exec(text)?.[0] ?? "";
  // Spreadsheets separate by what the user's country writes between numbers.
  const delimiter = [",", ";", "\t"].find((sign) => header.includes(sign)) ?? ",";
  const columns = (names: string[]) => names.map((each) => (/^prompt$/i.test(each) ? "prompt" : each));
  let records: { record: Record<string, string>; info: { lines: number } }[];
  try {
    records = parse(text, { columns, delimiter, info: true, skip_empty_lines: true, trim: true, bom: true });
  } catch (error) {
    throw unreadableTable(error, name, place);
  }
  return records.map(({ record, info }) => {
    const given = Object.entries(record).filter(([key, value]) => value !== "" || key === "prompt");
    return { object: Object.fromEntries(given), where: `line ${info.lines}`, written: "text" };
  });
}

function unreadableTable(error: unknown, name: string, place: Place): RushesError {
  const detail = error instanceof Error ? error.message : String(error);
  const where =
    error instanceof CsvError && typeof error["lines"] === "number" ? place(`line ${error["lines"]}`) : name;
  if (error instanceof CsvError && /QUOTE/.test(error.code))
    return new RushesError("settings.unreadable", {
      sentence: `${where} has a double quote ${/NOT_CLOSED/.test(error.code) ? "that is never closed" : "where none can be"}.`,
      advice: "Put the whole value in double quotes, and write those within it twice.",
      detail,
      cause: error,
    });
  if (error instanceof CsvError && /INCONSISTENT/.test(error.code))
    return new RushesError("settings.unreadable", {
      sentence: `${where} has more or fewer values than the table has columns.`,
      advice: "Put a prompt that has commas in it in double quotes.",
      detail,
      cause: error,
    });
  return new RushesError("settings.unreadable", {
    sentence: `${where} is not a table of values.`,
    detail,
    cause: error,
  });
}

function jsonLine(line: string, where: string, place: Place): Item {
  try {
    return jsonItem(parsedJson(line, place(where)), where);
  } catch (error) {
    return { object: asRushesError(error), where, written: "value" };
  }
}

function jsonItem(item: unknown, where: string): Item {
  return { object: typeof item === "string" ? { prompt: item } : item, where, written: "value" };
}

/** `what` is not JSON where this throws settings.unreadable. */
function parsedJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new RushesError("settings.unreadable", { sentence: `${what} is not JSON.`, detail, cause: error });
  }
}

function jsonItems(text: string, name: string): Item[] {
  const document = parsedJson(text, name);
  if (!Array.isArray(document)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${name} is not a list.`,
      advice: "Write a list of texts, or of objects with a prompt.",
    });
  }
  return document.map((item: unknown, index) => jsonItem(item, `item ${index + 1}`));
}

/** What a decoder leaves in place of letters it could not read. */
const lostLetter = "\uFFFD";

function row(object: unknown, origin: string, form: "text" | "value", isPrompt: boolean): PromptRow {
  if (!isRecord(object)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${origin} is neither a text nor an object.`,
      advice: "Write a list of texts, or of objects with a prompt.",
    });
  }
  if (!("prompt" in object)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${origin} has no prompt.`,
      advice: "Name the column or key `prompt`.",
    });
  }
  // The window's files are decoded by the browser, which does not refuse what is not UTF-8.
  if (JSON.stringify(object).includes(lostLetter)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${origin} has letters that were lost (${lostLetter}): the list was not UTF-8 text.`,
      advice: saveAsUtf8,
    });
  }
  const { prompt, ...settings } = object;
  const problem = isPrompt ? checkSetting("prompt", prompt) : null;
  if (problem) throw invalid(problem, origin);
  return { ...readNamedValues(settings, origin, form), prompt: String(prompt), origin };
}
