// Prompt lists: many prompts, each with settings of its own, from .txt, .csv or .json.
import { extname } from "node:path";
import { parse } from "csv-parse/sync";
import type { PromptForm } from "../../contract/channels/generate.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import { checkSetting } from "../../contract/settings/derive.ts";
import { isRecord, readTextFile } from "./config-file.ts";
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
 * texts or of objects with `prompt` and settings; no ending is as .txt, any other is refused. Throws settings.unreadable,
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

const forms: Readonly<Record<string, PromptForm>> = { "": "txt", ".txt": "txt", ".csv": "csv", ".json": "json" };

/** Of a pipe, which has no ending, the lines. Anything else would make a video of every line of it. */
function formOf(file: string): PromptForm {
  const form = forms[extname(file).toLowerCase()];
  if (form) return form;
  throw new RushesError("settings.unreadable", {
    sentence: `${file} is no list of prompts that Rushes reads.`,
    advice: "Give a .txt file with a prompt on each line, a .csv table or a .json list.",
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
    const items = form === "csv" ? csvItems(name, text) : form === "json" ? jsonItems(name, text) : textItems(text);
    for (const { where, object, written } of items) {
      try {
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

interface Item {
  /** "line 3" */
  readonly where: string;
  readonly object: unknown;
  readonly written: "text" | "value";
}

function textItems(text: string): Item[] {
  return text
    .split(/\r?\n/)
    .map((line, index): Item => ({ object: { prompt: line.trim() }, where: `line ${index + 1}`, written: "text" }))
    .filter(({ object }) => (object as { prompt: string }).prompt !== "");
}

function csvItems(name: string, text: string): Item[] {
  let records: { record: Record<string, string>; info: { lines: number } }[];
  try {
    records = parse(text, { columns: true, info: true, skip_empty_lines: true, trim: true, bom: true });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new RushesError("settings.unreadable", {
      sentence: `${name} is not a table of values.`,
      detail,
      cause: error,
    });
  }
  return records.map(({ record, info }) => {
    const given = Object.entries(record).filter(([key, value]) => value !== "" || key === "prompt");
    return { object: Object.fromEntries(given), where: `line ${info.lines}`, written: "text" };
  });
}

function jsonItems(name: string, text: string): Item[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new RushesError("settings.unreadable", { sentence: `${name} is not JSON.`, detail, cause: error });
  }
  if (!Array.isArray(document)) {
    throw new RushesError("settings.unreadable", {
      sentence: `${name} is not a list.`,
      advice: "Write a list of texts, or of objects with a prompt.",
    });
  }
  return document.map((item: unknown, index) => ({
    object: typeof item === "string" ? { prompt: item } : item,
    where: `item ${index + 1}`,
    written: "value",
  }));
}

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
  const { prompt, ...settings } = object;
  const problem = isPrompt ? checkSetting("prompt", prompt) : null;
  if (problem) throw invalid(problem, origin);
  return { ...readNamedValues(settings, origin, form), prompt: String(prompt), origin };
}
