// Reading jobs: one, lists, and full-text search. Every list is newest first, leaves the trash out and walks an index (their plans are
// tested).
import { RushesError } from "../../../contract/errors.ts";
import type {
  Job,
  JobDetail,
  JobLogLine,
  JobStageRecord,
  JobState,
  JobStateChange,
  JobStepLatents,
} from "../../../contract/job.ts";
import type { HistoryDatabase } from "../database.ts";
import { searchQuery } from "../search-text.ts";
import { jobFromRow, type JobRow } from "./job-row.ts";

/** Newest first; `before` is the id to continue below. */
export interface HistoryQuery {
  limit?: number;
  before?: number;
  state?: JobState;
  model?: string;
}

const defaultLimit = 100;

export function readJob(database: HistoryDatabase, id: number): Job | null {
  const row = database.prepare("SELECT * FROM jobs WHERE id = ?").get(id) as JobRow | undefined;
  return row ? jobFromRow(row) : null;
}

/** The job. Throws job.unknown. */
export function requireJob(database: HistoryDatabase, id: number): Job {
  const job = readJob(database, id);
  if (!job) throw unknownJob(id);
  return job;
}

export function unknownJob(id: number): RushesError {
  return new RushesError("job.unknown", { sentence: `There is no job ${id}.` });
}

export function readState(database: HistoryDatabase, id: number): JobState | null {
  const row = database.prepare("SELECT state FROM jobs WHERE id = ?").get(id) as { state: JobState } | undefined;
  return row?.state ?? null;
}

export function readTokenIds(database: HistoryDatabase, id: number): Int32Array {
  const row = database.prepare("SELECT token_ids FROM jobs WHERE id = ?").get(id) as { token_ids: Buffer };
  const { buffer, byteOffset, byteLength } = row.token_ids;
  return new Int32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

export function readStepLatents(database: HistoryDatabase, id: number): JobStepLatents[] {
  return database
    .prepare("SELECT step, path, bytes, created_at AS createdAt FROM job_step_latents WHERE job_id = ? ORDER BY step")
    .all(id) as JobStepLatents[];
}

/** Log lines after the given row, with the row to continue from. */
export function readLogAfter(database: HistoryDatabase, id: number, after: number): (JobLogLine & { row: number })[] {
  return database
    .prepare("SELECT id AS row, at, level, line FROM job_log_lines WHERE job_id = ? AND id > ? ORDER BY id")
    .all(id, after) as (JobLogLine & { row: number })[];
}

export function readChanges(database: HistoryDatabase, id: number): JobStateChange[] {
  return database
    .prepare("SELECT state, at, note FROM job_changes WHERE job_id = ? ORDER BY id")
    .all(id) as JobStateChange[];
}

export function readStages(database: HistoryDatabase, id: number): JobStageRecord[] {
  return database
    .prepare(
      `SELECT attempt, stage, seconds, peak_bytes AS peakBytes, device_bytes AS deviceBytes,
         planned_seconds AS plannedSeconds, planned_bytes AS plannedBytes,
         planned_device_bytes AS plannedDeviceBytes FROM job_stages WHERE job_id = ? ORDER BY attempt, ordinal`,
    )
    .all(id) as JobStageRecord[];
}

export function readDetail(database: HistoryDatabase, id: number): JobDetail | null {
  return database.transaction((): JobDetail | null => {
    const job = readJob(database, id);
    if (!job) return null;
    const stages = readStages(database, id);
    const log = readLogAfter(database, id, 0).map(({ at, level, line }) => ({ at, level, line }));
    return { ...job, stages, steps: readStepLatents(database, id), log, changes: readChanges(database, id) };
  })();
}

export function listJobs(database: HistoryDatabase, query: HistoryQuery = {}): Job[] {
  return rows(database, listStatement(query));
}

export function searchJobs(database: HistoryDatabase, words: string, query: HistoryQuery = {}): Job[] {
  const match = searchQuery(words);
  return match === null ? [] : rows(database, searchStatement(match, query));
}

interface Statement {
  sql: string;
  parameters: Record<string, string | number>;
}

function rows(database: HistoryDatabase, { sql, parameters }: Statement): Job[] {
  return (database.prepare(sql).all(parameters) as JobRow[]).map(jobFromRow);
}

export function listStatement({ limit = defaultLimit, before, state, model }: HistoryQuery): Statement {
  // The plus keeps the planner on the order of the list.
  const conditions = ["+deleted_at IS NULL"];
  if (before !== undefined) conditions.push("id < @before");
  if (state !== undefined) conditions.push("state = @state");
  if (model !== undefined) conditions.push("model = @model");
  return {
    sql: `SELECT * FROM jobs WHERE ${conditions.join(" AND ")} ORDER BY id DESC LIMIT @limit`,
    parameters: given({ limit, before, state, model }),
  };
}

export function searchStatement(
  match: string,
  { limit = defaultLimit, before, state, model }: HistoryQuery,
): Statement {
  const conditions = ["job_search MATCH @match", "jobs.deleted_at IS NULL"];
  if (before !== undefined) conditions.push("job_search.rowid < @before");
  if (state !== undefined) conditions.push("jobs.state = @state");
  if (model !== undefined) conditions.push("jobs.model = @model");
  return {
    // CROSS JOIN keeps the search outside, which gives its rows newest first without sorting.
    sql: `SELECT jobs.* FROM job_search CROSS JOIN jobs ON jobs.id = job_search.rowid
          WHERE ${conditions.join(" AND ")} ORDER BY job_search.rowid DESC LIMIT @limit`,
    parameters: given({ match, limit, before, state, model }),
  };
}

function given(values: Record<string, string | number | undefined>): Record<string, string | number> {
  const entries = Object.entries(values);
  return Object.fromEntries(entries.filter((entry): entry is [string, string | number] => entry[1] !== undefined));
}
