// One row of jobs as the rest of the program sees it.
import type { ErrorCode } from "../../../contract/errors.ts";
import type { LoweredPlan } from "../../../contract/lowered-plan.ts";
import type { Int8Summary, Job, JobFiles, JobKind, JobMode, JobProgress, JobState } from "../../../contract/job.ts";
import type { PlanFix } from "../../../contract/plan-fix.ts";
import type { ResolvedSettings } from "../../../contract/settings/derive.ts";

export interface JobRow {
  id: number;
  uid: string;
  kind: JobKind;
  state: JobState;
  prompt: string;
  mode: JobMode;
  model: string;
  files: string;
  input_image: string | null;
  settings: string;
  seed: number;
  token_count: number;
  source_job_id: number | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  attempts: number;
  resumed_from_step: number;
  progress: string | null;
  warnings: string;
  int8: string | null;
  planned_seconds: number | null;
  planned_peak_bytes: number | null;
  device_name: string | null;
  expected_seconds: number | null;
  kept_step: number | null;
  latents_path: string | null;
  save_path: string | null;
  pending_video_path: string | null;
  video_path: string | null;
  poster_path: string | null;
  copy_path: string | null;
  video_bytes: number | null;
  video_frames: number | null;
  video_width: number | null;
  video_height: number | null;
  error_code: ErrorCode | null;
  error_sentence: string | null;
  error_advice: string | null;
  error_detail: string | null;
  error_fix: string | null;
  lowered_plan: string | null;
}

export function jobFromRow(row: JobRow): Job {
  return {
    id: row.id,
    uid: row.uid,
    kind: row.kind,
    state: row.state,
    prompt: row.prompt,
    mode: row.mode,
    model: row.model,
    files: JSON.parse(row.files) as JobFiles,
    inputImage: row.input_image,
    seed: row.seed,
    settings: JSON.parse(row.settings) as ResolvedSettings,
    tokenCount: row.token_count,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    attempts: row.attempts,
    resumedFromStep: row.resumed_from_step,
    progress: row.progress === null ? null : (JSON.parse(row.progress) as JobProgress),
    warnings: JSON.parse(row.warnings) as string[],
    int8: row.int8 === null ? null : (JSON.parse(row.int8) as Int8Summary),
    plannedSeconds: row.planned_seconds,
    plannedPeakBytes: row.planned_peak_bytes,
    deviceName: row.device_name,
    lowered: row.lowered_plan === null ? null : (JSON.parse(row.lowered_plan) as LoweredPlan),
    expectedSeconds: row.expected_seconds,
    keptStep: row.kept_step,
    latentsPath: row.latents_path,
    savePath: row.save_path,
    pendingVideoPath: row.pending_video_path,
    sourceJobId: row.source_job_id,
    video:
      row.video_path === null
        ? null
        : {
            path: row.video_path,
            posterPath: row.poster_path ?? "",
            copyPath: row.copy_path,
            bytes: row.video_bytes ?? 0,
            frames: row.video_frames ?? 0,
            width: row.video_width ?? 0,
            height: row.video_height ?? 0,
          },
    error:
      row.error_code === null
        ? null
        : {
            code: row.error_code,
            sentence: row.error_sentence ?? "",
            advice: row.error_advice ?? "",
            detail: row.error_detail ?? "",
          },
    fix: row.error_fix === null ? null : (JSON.parse(row.error_fix) as PlanFix),
  };
}
