// Writing jobs: acceptance and the moves between states. What a running job reports is in runs.ts.
import { RushesError } from "../../../contract/errors.ts";
import {
  mayMove,
  type JobError,
  type JobFiles,
  type JobKind,
  type JobMode,
  type JobState,
  type RetryChanges,
} from "../../../contract/job.ts";
import type { PlanFix } from "../../../contract/plan-fix.ts";
import type { ResolvedSettings } from "../../../contract/settings/derive.ts";
import type { HistoryDatabase } from "../database.ts";
import { unknownJob } from "../reads/jobs.ts";
import { searchText } from "../search-text.ts";

/** A job at the moment of its acceptance. */
export interface AcceptedJob {
  uid: string;
  kind: JobKind;
  mode: JobMode;
  model: string;
  files: JobFiles;
  settings: ResolvedSettings;
  ids: Int32Array;
  warnings: readonly string[];
  latentsPath: string | null;
  savePath: string | null;
  sourceJobId: number | null;
  /** What this machine is expected to take for it. */
  expectedSeconds?: number | null;
}

/** Commits the jobs, all or none, and gives their ids. They join the queue at its end, or, as `next`, before all that
 * wait, in their order. */
export function insertJobs(
  database: HistoryDatabase,
  jobs: readonly AcceptedJob[],
  now = Date.now(),
  place: "end" | "next" = "end",
): number[] {
  const insert = database.prepare(`
    INSERT INTO jobs (uid, kind, state, position, prompt, search_text, mode, model, files, input_image, settings, seed,
      width, height, num_frames, num_steps, quant_linear, attention_type, sla_topk, sigma_max, token_ids, token_count,
      source_job_id, created_at, warnings, latents_path, save_path, expected_seconds)
    VALUES (@uid, @kind, 'queued', @position, @prompt, @searchText, @mode, @model, @files, @image, @settings, @seed, @width, @height, @numFrames, @numSteps,
      @quantLinear, @attentionType, @slaTopk, @sigmaMax, @tokenIds, @tokenCount, @sourceJobId, @createdAt, @warnings,
      @latentsPath, @savePath, @expectedSeconds)`);
  return database
    .transaction(() => {
      const { low, high } = database
        .prepare("SELECT min(position) AS low, max(position) AS high FROM jobs WHERE state = 'queued'")
        .get() as { low: number | null; high: number | null };
      const first = place === "end" ? (high ?? 0) + 1 : (low ?? 1) - jobs.length;
      return jobs.map((job, index) => {
        const { lastInsertRowid } = insert.run({
          ...wantedColumns(job),
          uid: job.uid,
          position: first + index,
          kind: job.kind,
          sourceJobId: job.sourceJobId,
          createdAt: now,
          latentsPath: job.latentsPath,
          savePath: job.savePath,
        });
        const id = Number(lastInsertRowid);
        insertChange(database, id, "queued", "accepted", now);
        return id;
      });
    })
    .immediate();
}

/** What an edit replaces of a waiting job. */
export type WantedJob = Pick<
  AcceptedJob,
  "mode" | "model" | "files" | "settings" | "ids" | "warnings" | "expectedSeconds"
>;

/** The columns of what is to run. */
export function wantedColumns({ mode, model, files, settings, ids, warnings, expectedSeconds }: WantedJob) {
  const { prompt, image } = settings;
  return {
    ...searchable(settings),
    prompt,
    searchText: searchText(prompt),
    mode,
    model,
    files: JSON.stringify(files),
    image,
    settings: JSON.stringify(settings),
    tokenIds: Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength),
    tokenCount: ids.length,
    warnings: JSON.stringify(warnings),
    expectedSeconds: expectedSeconds ?? null,
  };
}

/** The settings that have columns of their own. */
function searchable(settings: ResolvedSettings) {
  const { seed, width, height, numFrames, numSteps, quantLinear, attentionType, slaTopk, sigmaMax } = settings;
  return { seed, width, height, numFrames, numSteps, quantLinear, attentionType, slaTopk, sigmaMax };
}

/** Keeps the stored settings and their columns equal to what ran. */
export function updateSettings(database: HistoryDatabase, id: number, settings: ResolvedSettings): void {
  database
    .prepare(
      `UPDATE jobs SET settings = @settings, seed = @seed, width = @width, height = @height, num_frames = @numFrames,
         num_steps = @numSteps, quant_linear = @quantLinear, attention_type = @attentionType, sla_topk = @slaTopk,
         sigma_max = @sigmaMax WHERE id = @id`,
    )
    .run({ ...searchable(settings), settings: JSON.stringify(settings), id });
}

export interface Move {
  to: JobState;
  note: string;
  error?: JobError;
  /** Beside an error: the change that would help. */
  fix?: PlanFix | null;
  /** Moves out of "running" that its runner makes name the runner: another may have taken the job over. */
  runner?: string;
  now?: number;
}

/** Moves a job to another state; false when the job is no longer in a state (or with the runner) that allows it. */
export function moveJob(database: HistoryDatabase, id: number, move: Move): boolean {
  const now = move.now ?? Date.now();
  return database
    .transaction((): boolean => {
      const row = database.prepare("SELECT state, runner FROM jobs WHERE id = ?").get(id) as
        { state: JobState; runner: string | null } | undefined;
      if (!row) throw unknownJob(id);
      if (!mayMove(row.state, move.to) || (move.runner !== undefined && row.runner !== move.runner)) return false;
      const error = move.error;
      // What was interrupted continues before everything that waits, wherever others were put meanwhile.
      const interrupted = row.state === "running" && move.to === "queued";
      database
        .prepare(
          `UPDATE jobs SET state = @to, runner = NULL, cancel_requested = 0, keep_requested = 0,
             position = ${interrupted ? firstPosition : "position"},
             progress = CASE WHEN @to = 'queued' THEN NULL ELSE progress END,
             finished_at = CASE WHEN @to = 'queued' THEN NULL ELSE @now END,
             error_code = @code, error_sentence = @sentence, error_advice = @advice, error_detail = @detail,
             error_fix = @fix
           WHERE id = @id`,
        )
        .run({
          id,
          to: move.to,
          now,
          code: error?.code ?? null,
          sentence: error?.sentence ?? null,
          advice: error?.advice ?? null,
          detail: error?.detail ?? null,
          fix: move.fix ? JSON.stringify(move.fix) : null,
        });
      insertChange(database, id, move.to, move.note, now);
      return true;
    })
    .immediate();
}

/** The job's own position, or one before all waiting jobs. */
const firstPosition = `min(position, coalesce(
  (SELECT other.position - 1 FROM jobs AS other WHERE other.state = 'queued' ORDER BY other.position LIMIT 1), position))`;

/** Puts a failed or cancelled job at the end of the queue, with a clean count of interruptions and its whole plan. False
 * where it waits there already, as it is. Throws job.unknown, or job.started for one that runs or is done. */
export function queueAgain(
  database: HistoryDatabase,
  id: number,
  { onCpu = false, withoutBudget = false }: RetryChanges = {},
): boolean {
  const changes = [...(onCpu ? ["on the CPU"] : []), ...(withoutBudget ? ["without a memory budget"] : [])];
  return database
    .transaction((): boolean => {
      if (!isEnded(database, id)) return false;
      if (!moveJob(database, id, { to: "queued", note: ["asked for again", ...changes].join(", ") })) return false;
      if (onCpu)
        database
          .prepare(
            `UPDATE jobs SET settings = json_set(settings, '$.device', 'cpu'), device_name = NULL, planned_seconds = NULL,
               planned_peak_bytes = NULL, expected_seconds = NULL WHERE id = ?`,
          )
          .run(id);
      if (withoutBudget)
        database.prepare("UPDATE jobs SET settings = json_set(settings, '$.memoryBudget', 0) WHERE id = ?").run(id);
      database
        .prepare(
          `UPDATE jobs SET interruptions = 0, crashes = 0, pending_video_path = NULL, lowered_plan = NULL,
             position = (SELECT coalesce(max(position), 0) + 1 FROM jobs WHERE state = 'queued') WHERE id = ?`,
        )
        .run(id);
      return true;
    })
    .immediate();
}

/** Whether the job failed or was cancelled; false where it waits. A running job may go back to the queue too, but only its
 * runner may put it there. */
function isEnded(database: HistoryDatabase, id: number): boolean {
  const row = database.prepare("SELECT state FROM jobs WHERE id = ?").get(id) as { state: JobState } | undefined;
  if (!row) throw unknownJob(id);
  if (row.state === "queued") return false;
  if (row.state === "failed" || row.state === "cancelled") return true;
  throw new RushesError("job.started", {
    sentence: row.state === "running" ? `Job ${id} runs already.` : `Job ${id} is done already.`,
    advice: row.state === "running" ? "Wait for it, or cancel it first." : "Use its settings for another one.",
  });
}

/** Cancels a queued job at once; asks the runner of a running one. False when the job was final already. */
export function requestCancel(database: HistoryDatabase, id: number): boolean {
  return database
    .transaction((): boolean => {
      const row = database.prepare("SELECT state FROM jobs WHERE id = ?").get(id) as { state: JobState } | undefined;
      if (!row) throw unknownJob(id);
      if (row.state === "queued") return moveJob(database, id, { to: "cancelled", note: "cancelled before it ran" });
      if (row.state !== "running") return false;
      database.prepare("UPDATE jobs SET cancel_requested = 1 WHERE id = ?").run(id);
      return true;
    })
    .immediate();
}

export function insertChange(database: HistoryDatabase, id: number, state: JobState, note: string, now: number): void {
  database.prepare("INSERT INTO job_changes (job_id, state, at, note) VALUES (?, ?, ?, ?)").run(id, state, now, note);
}
