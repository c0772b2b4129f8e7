// What the window shows of results: cards by id, counts for the filters, and everything of one result.
import { existsSync } from "node:fs";
import type { HistoryCard, HistoryDetail, HistoryFacets } from "../../../contract/channels/history.ts";
import { isFinal, type JobKind, type JobMode, type JobState } from "../../../contract/job.ts";
import type { HistoryDatabase } from "../database.ts";
import { readInt8Names } from "./int8-names.ts";
import { readDetail } from "./jobs.ts";

/** Most cards of one request. */
export const mostCards = 500;

interface CardRow {
  id: number;
  kind: JobKind;
  state: JobState;
  prompt: string;
  mode: JobMode;
  model: string;
  seed: number;
  width: number;
  height: number;
  num_frames: number;
  num_steps: number;
  fps: number;
  created_at: number;
  seconds: number | null;
  favourite: number;
  stack_id: number;
  has_video: number;
  error_sentence: string | null;
  deleted_at: number | null;
}

/** Stage seconds of all attempts: what the video took, without the time in the queue or while the program was closed. */
const cardSql = `
  SELECT id, kind, state, prompt, mode, model, seed, width, height, num_frames, num_steps,
    settings ->> '$.fps' AS fps, created_at, favourite, stack_id, video_path IS NOT NULL AS has_video, error_sentence,
    deleted_at, iif(state = 'done', coalesce((SELECT sum(seconds) FROM job_stages WHERE job_id = jobs.id),
      (finished_at - started_at) / 1000.0), NULL) AS seconds
  FROM jobs WHERE id = ?`;

/** In the order of `ids`; those that are gone are left out. */
export function readCards(database: HistoryDatabase, ids: readonly number[]): HistoryCard[] {
  return database.transaction(() => {
    const statement = database.prepare(cardSql);
    const rows = ids.slice(0, mostCards).flatMap((id) => (statement.get(id) as CardRow | undefined) ?? []);
    const sizes = stackSizes(database);
    return rows.map((row) => cardFromRow(row, sizes(row.stack_id, row.deleted_at !== null)));
  })();
}

function cardFromRow(row: CardRow, stackSize: number): HistoryCard {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    prompt: row.prompt,
    mode: row.mode,
    model: row.model,
    seed: row.seed,
    width: row.width,
    height: row.height,
    numFrames: row.num_frames,
    numSteps: row.num_steps,
    fps: row.fps,
    createdAt: row.created_at,
    seconds: row.seconds,
    favourite: row.favourite === 1,
    stackSize,
    hasVideo: row.has_video === 1,
    errorSentence: row.error_sentence,
    deletedAt: row.deleted_at,
  };
}

/** Counts finished results of a stack, the trash apart; a stack is counted once however many of its cards are asked for. */
function stackSizes(database: HistoryDatabase): (stack: number, deleted: boolean) => number {
  const counted = new Map<string, number>();
  const count = (deleted: boolean) => database.prepare(stackSizeSql(deleted)).pluck();
  const statements = { deleted: count(true), kept: count(false) };
  return (stack, deleted) => {
    const key = `${stack} ${deleted}`;
    const known = counted.get(key);
    if (known !== undefined) return known;
    const size = Math.max(1, (deleted ? statements.deleted : statements.kept).get(stack) as number);
    counted.set(key, size);
    return size;
  };
}

export function stackSizeSql(deleted: boolean): string {
  return `SELECT count(*) FROM jobs WHERE stack_id = ? AND deleted_at IS ${deleted ? "NOT " : ""}NULL
    AND state IN ('done', 'failed', 'cancelled')`;
}

export const facetsSql = `SELECT model, state, width, height, favourite, count(*) AS count
  FROM jobs INDEXED BY jobs_counted WHERE deleted_at IS NULL GROUP BY model, state, width, height, favourite`;
export const deletedCountSql = "SELECT count(*) FROM jobs WHERE deleted_at IS NOT NULL";

interface FacetRow {
  model: string;
  state: JobState;
  width: number;
  height: number;
  favourite: number;
  count: number;
}

/** How many results each filter would leave, most first; the trash counts by itself. */
export function readFacets(database: HistoryDatabase): HistoryFacets {
  const rows = database.prepare(facetsSql).all() as FacetRow[];
  const sizes = sums(rows, ({ width, height }) => `${width}x${height}`);
  return {
    models: sums(rows, ({ model }) => model).map(([{ model }, count]) => ({ model, count })),
    states: sums(rows, ({ state }) => state).map(([{ state }, count]) => ({ state, count })),
    sizes: sizes.map(([{ width, height }, count]) => ({ width, height, count })),
    favourites: rows.reduce((sum, { favourite, count }) => sum + favourite * count, 0),
    deleted: database.prepare(deletedCountSql).pluck().get() as number,
  };
}

function sums(rows: readonly FacetRow[], keyOf: (row: FacetRow) => string): [FacetRow, number][] {
  const groups = new Map<string, [FacetRow, number]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group[1] += row.count;
    else groups.set(keyOf(row), [row, row.count]);
  }
  return [...groups.values()].sort(([, first], [, second]) => second - first);
}

/** A quantized layer in the log of a job from before migration 0020, which keeps the names by themselves. */
const loggedLayer = /^Int8 linear: (.+)/;

export function readResult(database: HistoryDatabase, id: number): HistoryDetail | null {
  return database.transaction((): HistoryDetail | null => {
    const detail = readDetail(database, id);
    if (!detail) return null;
    const row = database.prepare("SELECT favourite, deleted_at, stack_id FROM jobs WHERE id = ?").get(id) as {
      favourite: number;
      deleted_at: number | null;
      stack_id: number;
    };
    const names = readInt8Names(database, id);
    return {
      ...detail,
      favourite: row.favourite === 1,
      deletedAt: row.deleted_at,
      stackSize: stackSizes(database)(row.stack_id, row.deleted_at !== null),
      int8Names: names.length > 0 ? names : detail.log.flatMap(({ line }) => loggedLayer.exec(line)?.[1] ?? []),
      canDecodeAgain: isFinal(detail.state) && detail.latentsPath !== null && existsSync(detail.latentsPath),
    };
  })();
}
