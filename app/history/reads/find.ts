// Finding results: the ids of everything that matches, newest first. A listing walks one narrow index and never the wide
// rows of jobs; words are a second list from the text index, and both meet here. Measured on 50,000 jobs by a test.
import type { HistoryFilter } from "../../../contract/channels/history.ts";
import type { HistoryDatabase } from "../database.ts";
import { searchQuery } from "../search-text.ts";

interface Statement {
  sql: string;
  parameters: Record<string, string | number>;
}

/** A job's id, its stack's and whether it is done share one number, which is read much more quickly than three columns:
 * 2^26 jobs and 2^26 stacks fit exactly. */
const stackRoom = 2 ** 26;
const jobRoom = stackRoom * 2;

/** Ids, newest first. Words without a letter or figure in them find nothing. */
export function findResults(database: HistoryDatabase, filter: HistoryFilter): number[] {
  const match = filter.words === undefined || filter.words.trim() === "" ? undefined : searchQuery(filter.words);
  if (match === null) return [];
  return database.transaction(() => {
    const stacked = filter.stacked === true;
    const { sql, parameters } = filterStatement(filter);
    let rows = database.prepare(sql).pluck().all(parameters) as number[];
    if (match !== undefined) rows = matching(rows, wordsFound(database, match), stacked);
    return stacked ? shownOfStacks(rows) : rows;
  })();
}

/** What the filter without its words asks for: ids, or (id * stackRoom + stack) * 2 + done where stacks are wanted. */
export function filterStatement(filter: HistoryFilter): Statement {
  const conditions = [filter.deleted === true ? "deleted_at IS NOT NULL" : "deleted_at IS NULL"];
  const parameters: Record<string, string | number> = {};
  const where = (condition: string, name: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    parameters[name] = value;
  };
  if (filter.states !== undefined) {
    const states = [...new Set(filter.states)];
    conditions.push(`state IN (${states.map((_, index) => `@state${index}`).join(", ")})`);
    states.forEach((state, index) => (parameters[`state${index}`] = state));
  }
  where("model = @model", "model", filter.model);
  where("mode = @mode", "mode", filter.mode);
  where("favourite = @favourite", "favourite", filter.favourite === undefined ? undefined : Number(filter.favourite));
  where("created_at >= @from", "from", filter.from);
  where("created_at < @before", "before", filter.before);
  where("width = @width", "width", filter.width);
  where("height = @height", "height", filter.height);
  where("seed = @seed", "seed", filter.seed);
  where("stack_id = (SELECT stack_id FROM jobs WHERE id = @stackOf)", "stackOf", filter.stackOf);
  const column = filter.stacked === true ? `(id * ${stackRoom} + stack_id) * 2 + (state = 'done')` : "id";
  return {
    sql: `SELECT ${column} FROM jobs INDEXED BY jobs_listed WHERE ${conditions.join(" AND ")} ORDER BY id DESC`,
    parameters,
  };
}

export const wordsStatement = "SELECT rowid FROM job_search WHERE job_search MATCH ? ORDER BY rowid DESC";

function wordsFound(database: HistoryDatabase, match: string): number[] {
  return database.prepare(wordsStatement).pluck().all(match) as number[];
}

/** Rows whose id is among the found ones; both lists fall. */
function matching(rows: readonly number[], found: readonly number[], stacked: boolean): number[] {
  const kept: number[] = [];
  let at = 0;
  for (const row of rows) {
    const id = stacked ? Math.floor(row / jobRoom) : row;
    while (at < found.length && found[at]! > id) at++;
    if (found[at] === id) kept.push(row);
  }
  return kept;
}

/** One id for each stack, in the order of their newest: the newest that is done, which has a picture, else the newest. */
function shownOfStacks(rows: readonly number[]): number[] {
  let highest = 0;
  for (const row of rows) highest = Math.max(highest, row % jobRoom);
  // Stacks are numbered from 1 without large gaps, so that tables by their numbers are small.
  const places = new Int32Array(Math.floor(highest / 2) + 1).fill(-1);
  const settled = new Uint8Array(places.length);
  const ids: number[] = [];
  for (const row of rows) {
    const done = row % 2;
    const stack = Math.floor((row % jobRoom) / 2);
    if (settled[stack] === 1 || (places[stack]! >= 0 && done === 0)) continue;
    if (places[stack]! < 0) places[stack] = ids.length;
    ids[places[stack]!] = Math.floor(row / jobRoom);
    settled[stack] = done;
  }
  return ids;
}
