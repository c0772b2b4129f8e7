// The order of the waiting jobs, what they are, and whether the queue is paused. Every change is one transaction: a job
// that was taken a moment ago is refused with job.started, whoever took it.
import { RushesError } from "../../../contract/errors.ts";
import type { JobState } from "../../../contract/job.ts";
import type { HistoryDatabase } from "../database.ts";
import { unknownJob } from "../reads/jobs.ts";
import { releaseInput } from "./inputs.ts";
import { insertChange, moveJob, type WantedJob, wantedColumns } from "./jobs.ts";

/** Puts a waiting job directly before another one; null: to the end. When the other one has begun meanwhile, the job
 * becomes the first. Throws job.unknown or job.started. */
export function moveInQueue(database: HistoryDatabase, id: number, beforeId: number | null): void {
  database
    .transaction(() => {
      requireWaiting(database, id);
      if (beforeId === id) return;
      if (beforeId !== null && stateOf(database, beforeId) !== "queued") return setPosition(database, id, front);
      if (beforeId === null) return setPosition(database, id, end);
      const room = roomBefore(database, id, beforeId) ?? (renumber(database), roomBefore(database, id, beforeId));
      if (room === null) throw new RushesError("engine.internal", { detail: "no room in a renumbered queue" });
      database.prepare("UPDATE jobs SET position = ? WHERE id = ?").run(room, id);
    })
    .immediate();
}

/** Makes a waiting job the next one. Throws job.unknown or job.started. */
export function moveToFront(database: HistoryDatabase, id: number): void {
  database
    .transaction(() => {
      requireWaiting(database, id);
      setPosition(database, id, front);
    })
    .immediate();
}

/** Cancels waiting jobs, all of them or (job.started, job.unknown) none. */
export function removeFromQueue(database: HistoryDatabase, ids: readonly number[]): void {
  database
    .transaction(() => {
      for (const id of new Set(ids)) {
        requireWaiting(database, id);
        moveJob(database, id, { to: "cancelled", note: "taken out of the queue" });
      }
    })
    .immediate();
}

/** Replaces what a waiting job will run; it keeps its number, uid, place, copy and acceptance. Gives the files of steps that
 * no longer fit it. A video that an earlier attempt had finished stays on the disk and is no longer the job's. Throws
 * job.unknown or job.started, also for a job that only decodes. */
export function editInQueue(database: HistoryDatabase, id: number, job: WantedJob, now = Date.now()): string[] {
  return database
    .transaction((): string[] => {
      requireWaiting(database, id);
      const { kind } = database.prepare("SELECT kind FROM jobs WHERE id = ?").get(id) as { kind: string };
      if (kind === "decode")
        throw new RushesError("job.started", {
          sentence: "This job only decodes saved latents; there is nothing to change.",
          advice: "Take it out of the queue, or generate a new video.",
        });
      const steps = database.prepare("DELETE FROM job_step_latents WHERE job_id = ? RETURNING path").all(id);
      const { latents, input } = database
        .prepare("SELECT latents_path AS latents, input_image AS input FROM jobs WHERE id = ?")
        .get(id) as Record<"latents" | "input", string | null>;
      database
        .prepare(
          `UPDATE jobs SET prompt = @prompt, search_text = @searchText, mode = @mode, model = @model, files = @files,
             input_image = @image, settings = @settings, seed = @seed, width = @width, height = @height,
             num_frames = @numFrames, num_steps = @numSteps, quant_linear = @quantLinear,
             attention_type = @attentionType, sla_topk = @slaTopk, sigma_max = @sigmaMax, token_ids = @tokenIds,
             token_count = @tokenCount, warnings = @warnings, expected_seconds = @expectedSeconds,
             latents_path = NULL, resumed_from_step = 0, kept_step = NULL, int8 = NULL, int8_layers_id = NULL,
             planned_seconds = NULL, planned_peak_bytes = NULL, device_name = NULL, lowered_plan = NULL, interruptions = 0, crashes = 0,
             pending_video_path = NULL, video_path = NULL, poster_path = NULL, copy_path = NULL, video_bytes = NULL,
             video_frames = NULL, video_width = NULL, video_height = NULL
           WHERE id = @id`,
        )
        .run({
          ...wantedColumns(job),
          id,
        });
      releaseInput(database, input);
      insertChange(database, id, "queued", "edited", now);
      const paths = (steps as { path: string }[]).map(({ path }) => path);
      const others = database.prepare("SELECT 1 FROM jobs WHERE latents_path = ? LIMIT 1");
      return latents === null || others.get(latents) !== undefined ? paths : [...paths, latents];
    })
    .immediate();
}

/** Pauses the queue or lets it go on; false when that changes nothing. */
export function writePaused(database: HistoryDatabase, paused: boolean): boolean {
  const value = Number(paused);
  return (
    database.prepare("UPDATE queue_state SET paused = ? WHERE id = 1 AND paused <> ?").run(value, value).changes === 1
  );
}

/** Asks the runner of a running generation to stop sampling and decode what it has. Throws job.unknown or
 * job.not_running. */
export function requestKeep(database: HistoryDatabase, id: number): void {
  const { changes } = database
    .prepare(
      `UPDATE jobs SET keep_requested = 1 WHERE id = ? AND state = 'running' AND kind = 'generate'
         AND coalesce(json_extract(progress, '$.stage'), '') NOT IN ('decode', 'save')`,
    )
    .run(id);
  if (changes === 1) return;
  stateOf(database, id);
  throw new RushesError("job.not_running", { sentence: `Job ${id} is not sampling just now.` });
}

const front = "(SELECT coalesce(min(position), 0) - 1 FROM jobs WHERE state = 'queued')";
const end = "(SELECT coalesce(max(position), 0) + 1 FROM jobs WHERE state = 'queued')";

function setPosition(database: HistoryDatabase, id: number, place: typeof front | typeof end): void {
  database.prepare(`UPDATE jobs SET position = ${place} WHERE id = ?`).run(id);
}

/** A position between a waiting job and the one before it; null when numbers have no room there. */
function roomBefore(database: HistoryDatabase, id: number, beforeId: number): number | null {
  const { position: high } = database.prepare("SELECT position FROM jobs WHERE id = ?").get(beforeId) as {
    position: number;
  };
  const { low } = database
    .prepare(
      `SELECT max(position) AS low FROM jobs WHERE state = 'queued' AND id NOT IN (@id, @beforeId)
         AND (position, id) < (@high, @beforeId)`,
    )
    .get({ id, beforeId, high }) as { low: number | null };
  if (low === null) return high - 1;
  const middle = (low + high) / 2;
  return middle > low && middle < high ? middle : null;
}

/** Positions 1, 2, 3, ... in the present order. */
function renumber(database: HistoryDatabase): void {
  database.exec(`
    UPDATE jobs SET position = numbered.place
    FROM (SELECT id, row_number() OVER (ORDER BY position, id) AS place FROM jobs WHERE state = 'queued') AS numbered
    WHERE jobs.id = numbered.id`);
}

function requireWaiting(database: HistoryDatabase, id: number): void {
  const state = stateOf(database, id);
  if (state === "queued") return;
  throw new RushesError("job.started", {
    sentence: state === "running" ? `Job ${id} has begun.` : `Job ${id} is no longer waiting: it is ${state}.`,
  });
}

function stateOf(database: HistoryDatabase, id: number): JobState {
  const row = database.prepare("SELECT state FROM jobs WHERE id = ?").get(id) as { state: JobState } | undefined;
  if (!row) throw unknownJob(id);
  return row.state;
}
