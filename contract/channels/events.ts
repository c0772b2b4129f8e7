// What the studio says by itself. Events name what changed; long lists are asked for again.
import type { JobProgress, JobState, LogLevel } from "../job.ts";
import type { MachineState } from "./machine.ts";
import type { ExportState } from "./exports.ts";

/** What happened, before it gets its number. */
export type Announcement =
  | { kind: "job:changed"; jobId: number; state: JobState; note: string }
  /** About ten a second for each job. */
  | { kind: "job:progressed"; jobId: number; progress: JobProgress }
  /** Lines of level "debug" are in the job's detail only. */
  | { kind: "job:logged"; jobId: number; level: LogLevel; line: string }
  /** `approximate`: computed from the latents, smaller than the video. The picture is at previewUrl(jobId, step) of media.ts. */
  | { kind: "job:previewed"; jobId: number; step: number; width: number; height: number; approximate: boolean }
  /** Order, pause or the set of waiting jobs. */
  | { kind: "queue:changed" }
  /** Results came, went or were marked; `jobIds` where they are few. */
  | { kind: "history:changed"; jobIds: number[] | null }
  | { kind: "presets:changed" }
  | { kind: "models:changed" }
  | { kind: "machine:changed"; machine: MachineState }
  | { kind: "export:changed"; export: ExportState }
  /** A file was opened with the desktop program, or its menu asks for a place of the window: "#/history/12", "#new",
   * "#shortcuts". */
  | { kind: "window:opened"; path: string };

/** `number` counts up without gaps per studio; a listener that finds a gap asks again for what it shows. */
export type StudioEvent = { readonly number: number } & Announcement;

export type StudioEventKind = StudioEvent["kind"];
