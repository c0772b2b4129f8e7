// What the desktop shows of jobs and exports outside the window: progress on the taskbar or dock, a notification when a job
// has ended and nobody looks, and a machine that does not fall asleep while something runs.
import { type BrowserWindow, Notification, powerSaveBlocker } from "electron";
import type { StudioEvent } from "../../contract/channels.ts";
import type { ExportState } from "../../contract/channels/exports.ts";
import type { QueueState } from "../../contract/channels/queue.ts";
import type { Job } from "../../contract/job.ts";
import type { NativeWords } from "./native-words.ts";

/** What is asked of the studio. */
export interface WatchedStudio {
  listen(listener: (event: StudioEvent) => void): () => void;
  readonly queue: { state(): Pick<QueueState, "running" | "elsewhere"> };
  readonly exports: { list(): readonly Pick<ExportState, "state" | "fraction">[] };
  get(jobId: number): Pick<Job, "prompt" | "error"> | null;
}

export interface SignalParts {
  /** In the language in use. */
  words(): NativeWords;
  /** The window, where there is one. */
  window(): BrowserWindow | null;
  /** Shows a job's result in the window. */
  showResult(jobId: number): void;
}

/** What runs in this process: ending the program interrupts it. */
export type Work = "job" | "export";

/** Characters of the prompt in a notification. */
const longestBody = 140;

export class JobSignals {
  readonly #studio: WatchedStudio;
  readonly #parts: SignalParts;
  readonly #stop: () => void;
  /** Shown and neither clicked nor dismissed: without a reference they would be collected, and a click lost. */
  readonly #notifications = new Set<Notification>();
  #blocker: number | null = null;

  constructor(studio: WatchedStudio, parts: SignalParts) {
    this.#studio = studio;
    this.#parts = parts;
    this.#stop = studio.listen((event) => this.#hear(event));
    this.#follow();
  }

  get work(): Work[] {
    return [...(this.#isGenerating ? ["job" as const] : []), ...(this.#exported === null ? [] : ["export" as const])];
  }

  get #isGenerating(): boolean {
    const { running, elsewhere } = this.#studio.queue.state();
    return running !== null && !elsewhere;
  }

  /** How far the export under way is, 0..1; null where there is none. Others wait behind it. */
  get #exported(): number | null {
    return this.#studio.exports.list().find(({ state }) => state === "running")?.fraction ?? null;
  }

  close(): void {
    this.#stop();
    this.#wake(false);
    for (const notification of this.#notifications) notification.close();
    this.#notifications.clear();
  }

  #hear(event: StudioEvent): void {
    if (event.kind === "job:progressed") this.#progress(event.progress.overall);
    else if (event.kind === "export:changed") this.#follow();
    else if (event.kind === "job:changed") {
      this.#follow();
      if (event.state === "done" || event.state === "failed") this.#notify(event.jobId, event.state);
    }
  }

  #follow(): void {
    const isGenerating = this.#isGenerating;
    const exported = this.#exported;
    this.#wake(isGenerating || exported !== null);
    // A job says its own progress.
    if (!isGenerating) this.#progress(exported ?? -1);
  }

  #wake(wanted: boolean): void {
    if (wanted && this.#blocker === null) this.#blocker = powerSaveBlocker.start("prevent-app-suspension");
    else if (!wanted && this.#blocker !== null) {
      powerSaveBlocker.stop(this.#blocker);
      this.#blocker = null;
    }
  }

  /** 0..1; below 0 takes it away. */
  #progress(fraction: number): void {
    const window = this.#parts.window();
    if (window && !window.isDestroyed()) window.setProgressBar(fraction);
  }

  #notify(jobId: number, state: "done" | "failed"): void {
    const window = this.#parts.window();
    if ((window && !window.isDestroyed() && window.isFocused()) || !Notification.isSupported()) return;
    const job = this.#studio.get(jobId);
    if (!job) return;
    const { doneTitle, failedTitle } = this.#parts.words();
    const text = state === "done" ? job.prompt : (job.error?.sentence ?? job.prompt);
    const notification = new Notification({
      title: state === "done" ? doneTitle : failedTitle,
      body: text.length > longestBody ? `${text.slice(0, longestBody - 1)}…` : text,
    });
    const forget = () => void this.#notifications.delete(notification);
    notification.on("click", () => {
      forget();
      this.#parts.showResult(jobId);
    });
    notification.on("close", forget);
    notification.on("failed", forget);
    this.#notifications.add(notification);
    notification.show();
  }
}
