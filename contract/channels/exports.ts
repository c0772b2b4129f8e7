// Exports: a finished video in another form.
import type { Nothing } from "../channels.ts";
import type { ErrorRecord } from "../errors.ts";

export const exportFormats = ["mp4", "webm", "gif", "png"] as const;
export type ExportFormat = (typeof exportFormats)[number];

export interface ExportState {
  readonly id: string;
  readonly jobId: number;
  readonly format: ExportFormat;
  readonly state: "running" | "done" | "failed" | "cancelled";
  /** 0..1 */
  readonly fraction: number;
  /** Where it was written; null while running, and for downloads. */
  readonly path: string | null;
  readonly bytes: number | null;
  /** True where exportUrl(id) answers with the file (frames as one zip file). */
  readonly download: boolean;
  readonly error: ErrorRecord | null;
}

export interface ExportChannels {
  /** Without a folder the result is kept for a download (exportUrl) until the studio ends. */
  "exports:start": {
    request: { jobId: number; format: ExportFormat; folder?: string };
    reply: { export: ExportState };
  };
  "exports:list": { request: Nothing; reply: { exports: ExportState[] } };
  "exports:cancel": { request: { id: string }; reply: Nothing };
}
