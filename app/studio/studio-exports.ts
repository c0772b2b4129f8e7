// Exports under way and finished ones: one after the other, beside a generation, in an engine process of their own, so that a
// file that crashes a codec cannot take a running job with it. How a form is written is app/export's work.
import { randomUUID } from "node:crypto";
import { sep } from "node:path";
import type { ExportFormat, ExportState } from "../../contract/channels/exports.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { EngineClient } from "../engine/client.ts";
import { exportVideo } from "../export/export-video.ts";
import { exportToTemporary, type TemporaryExport } from "../export/temporary.ts";
import { requireJob } from "../history/reads/jobs.ts";
import type { StudioCore } from "./studio-core.ts";

/** How long a download is kept, milliseconds. */
const keptFor = 60 * 60 * 1000;
/** At most one progress event of an export in this time, milliseconds. */
const progressPeriod = 100;
/** Finished exports that are still listed. */
const listed = 50;

/** What is wanted of one export. */
export interface ExportRequest {
  jobId: number;
  format: ExportFormat;
  /** An existing folder, or one to be made; null keeps the result for a download. */
  folder: string | null;
}

/** A finished export that waits to be fetched. */
export type ExportDownload = Pick<TemporaryExport, "path" | "name" | "mediaType" | "bytes">;

interface Entry {
  state: ExportState;
  readonly end: AbortController;
  kept: TemporaryExport | null;
  timer: NodeJS.Timeout | null;
}

export class StudioExports {
  readonly #core: Pick<StudioCore, "database" | "announce" | "log">;
  readonly #newEngine: () => EngineClient;
  readonly #entries = new Map<string, Entry>();
  /** Exports wait for each other: two at once take as long and twice the memory. */
  #line: Promise<void> = Promise.resolve();
  #waiting = 0;
  #engine: EngineClient | null = null;
  #closed = false;

  constructor(core: Pick<StudioCore, "database" | "announce" | "log">, newEngine: () => EngineClient) {
    this.#core = core;
    this.#newEngine = newEngine;
  }

  /** Begins an export; what becomes of it is announced. Throws job.unknown, and file.unreadable where the job has no
   * video. */
  start(request: ExportRequest): ExportState {
    if (this.#closed) throw new RushesError("engine.internal", { sentence: "The studio is closed." });
    const { jobId, format } = request;
    const { video } = requireJob(this.#core.database, jobId);
    if (!video)
      throw new RushesError("file.unreadable", {
        sentence: `Job ${jobId} has no video to export.`,
        advice: "Export a job that is done.",
      });
    const state: ExportState = {
      id: randomUUID(),
      jobId,
      format,
      state: "running",
      fraction: 0,
      path: null,
      bytes: null,
      download: false,
      error: null,
    };
    const entry: Entry = { state, end: new AbortController(), kept: null, timer: null };
    this.#entries.set(state.id, entry);
    this.#core.announce({ kind: "export:changed", export: state });
    this.#waiting++;
    this.#line = this.#line.then(() => this.#run(entry, video.path, request));
    return state;
  }

  /** Newest last. */
  list(): ExportState[] {
    return [...this.#entries.values()].map(({ state }) => state);
  }

  /** Ends a running export; what is finished already stays. Throws request.invalid for an unknown id. */
  cancel(id: string): void {
    this.#entry(id).end.abort();
  }

  /** The file behind exportUrl(id); null where there is none (any more). */
  download(id: string): ExportDownload | null {
    return this.#entries.get(id)?.kept ?? null;
  }

  /** Cancels what runs and removes the downloads. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { end } of this.#entries.values()) end.abort();
    await this.#line;
    for (const entry of this.#entries.values()) await this.#forgetDownload(entry);
    this.#entries.clear();
  }

  async #run(entry: Entry, path: string, { format, folder }: ExportRequest): Promise<void> {
    const { id, jobId } = entry.state;
    try {
      const options = { signal: entry.end.signal, onProgress: this.#progressOf(entry) };
      this.#engine ??= this.#newEngine();
      if (folder === null) {
        const kept = await exportToTemporary(this.#engine, { path }, format, options);
        this.#keep(entry, kept);
      } else {
        const target = folder.endsWith(sep) ? folder : folder + sep;
        const { path: written, bytes } = await exportVideo(this.#engine, { path }, format, target, options);
        this.#become(entry, { state: "done", fraction: 1, path: written, bytes });
        this.#core.log.write(`job ${jobId}: exported to ${written}`);
      }
    } catch (thrown) {
      const error = asRushesError(thrown);
      if (error.code === "export.cancelled") this.#become(entry, { state: "cancelled" });
      else this.#become(entry, { state: "failed", error: error.toJSON() });
      this.#core.log.write(`job ${jobId}: export ${id} as ${format} ended: ${error.message}`);
    } finally {
      // Nothing more to do: its memory is worth more than a quick start.
      if (--this.#waiting === 0) {
        await this.#engine?.close();
        this.#engine = null;
      }
      this.#shorten();
    }
  }

  #keep(entry: Entry, kept: TemporaryExport): void {
    entry.kept = kept;
    entry.timer = setTimeout(() => void this.#forgetDownload(entry), keptFor).unref();
    this.#become(entry, { state: "done", fraction: 1, bytes: kept.bytes, download: true });
  }

  async #forgetDownload(entry: Entry): Promise<void> {
    if (entry.timer) clearTimeout(entry.timer);
    const { kept } = entry;
    if (!kept) return;
    entry.kept = null;
    await kept.remove();
    this.#become(entry, { download: false });
  }

  #progressOf(entry: Entry): (fraction: number) => void {
    let said = -Infinity;
    return (fraction) => {
      const now = performance.now();
      if (now - said < progressPeriod) return;
      said = now;
      this.#become(entry, { fraction });
    };
  }

  #become(entry: Entry, change: Partial<ExportState>): void {
    entry.state = { ...entry.state, ...change };
    this.#core.announce({ kind: "export:changed", export: entry.state });
  }

  /** Forgets the oldest finished ones that nobody can fetch. */
  #shorten(): void {
    const over = [...this.#entries.values()].filter(({ state, kept }) => state.state !== "running" && !kept);
    for (const { state } of over.slice(0, Math.max(0, over.length - listed))) this.#entries.delete(state.id);
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw new RushesError("request.invalid", { sentence: "There is no export of that number." });
    return entry;
  }
}
