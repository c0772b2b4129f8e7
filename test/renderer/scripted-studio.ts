// A studio whose answers a test writes: it stands where the preload's object stands in the desktop window, so that every
// request and event takes the window's own way. What the real studio answers is tested from end to end (test/e2e).
import type { Announcement, ChannelName, ReplyOf, RequestOf, StudioEvent } from "../../contract/channels.ts";
import type { DraftCheck } from "../../contract/channels/generate.ts";
import type { HistoryDetail } from "../../contract/channels/history.ts";
import type { ModelEntry } from "../../contract/channels/models.ts";
import type { QueueState } from "../../contract/channels/queue.ts";
import type { Session } from "../../contract/channels/studio.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Job } from "../../contract/job.ts";
import { allSettings, defaultSettings, type SettingId, type Settings } from "../../contract/settings/derive.ts";
import { noiseLevels } from "../../contract/settings/noise-levels.ts";
import { sizeOfResolution } from "../../contract/settings/resolution.ts";
import type { PreloadBridge } from "../../renderer/bridge.ts";
import { connection } from "../../renderer/state/connection.svelte.ts";

type Answers = { [C in ChannelName]?: (request: RequestOf<C>) => ReplyOf<C> | Promise<ReplyOf<C>> };

/** What was asked, in order. */
export interface Asked {
  readonly channel: ChannelName;
  readonly request: unknown;
}

export class ScriptedStudio {
  readonly asked: Asked[] = [];
  readonly answers: Answers;
  session: Session = { values: {}, presetId: null, views: {} };
  queue: QueueState = {
    running: null,
    preview: null,
    waiting: [],
    paused: false,
    elsewhere: false,
    etaSeconds: null,
  };
  models: readonly ModelEntry[] = [demoModel];
  details: readonly HistoryDetail[] = [];
  #listener: ((event: StudioEvent) => void) | null = null;
  #number = 0;

  constructor(answers: Answers = {}) {
    this.answers = {
      "studio:hello": () => ({
        version: "0.0.0",
        libraryFolder: "/videos/Rushes",
        door: "window",
        capabilities: {
          showInFolder: true,
          chooseFiles: true,
          anyPath: true,
          notifications: true,
          systemTrash: true,
        },
        roots: [],
        language: "en-GB",
      }),
      "studio:session": () => this.session,
      "studio:keepSession": ({ session }) => {
        this.session = { ...this.session, ...session, views: { ...this.session.views, ...session.views } };
        return {};
      },
      "generate:check": ({ draft }) => checkOf(draft.values),
      "models:list": () => ({ models: [...this.models], folders: [] }),
      "models:loras": () => ({ loras: [], folder: "/videos/Rushes/loras" }),
      "presets:list": () => ({ presets: [] }),
      "queue:state": () => this.queue,
      "history:find": () => ({ ids: this.details.map(({ id }) => id) }),
      "history:cards": () => ({ cards: [] }),
      "history:detail": ({ jobId }) => {
        const detail = this.details.find(({ id }) => id === jobId);
        if (!detail) throw new RushesError("job.unknown");
        return { detail };
      },
      ...answers,
    };
    const bridge: PreloadBridge = {
      request: (channel, request) => this.#answer(channel, request),
      listen: (onEvent) => {
        this.#listener = onEvent;
        return () => (this.#listener = null);
      },
      pathOf: (file) => `/pictures/${file.name}`,
    };
    Object.defineProperty(window, "rushes", { configurable: true, value: bridge });
  }

  /** Connects the window to this studio, as main.ts does; `starts` are the state classes a test needs. */
  connect(...starts: { start(): () => void }[]): () => void {
    const stops = starts.map((state) => state.start());
    connection.start();
    return () => {
      for (const stop of stops) stop();
      connection.stop();
      Reflect.deleteProperty(window, "rushes");
    };
  }

  /** The studio says something by itself. */
  say(event: Announcement): void {
    this.#number++;
    this.#listener?.({ ...event, number: this.#number });
  }

  /** The studio said something that never arrived: at the next event the window asks for everything again. */
  lose(): void {
    this.#number++;
  }

  /** Requests of one channel so far. */
  requests<C extends ChannelName>(channel: C): RequestOf<C>[] {
    return this.asked.filter((one) => one.channel === channel).map(({ request }) => request as RequestOf<C>);
  }

  async #answer<C extends ChannelName>(channel: C, request: RequestOf<C>): Promise<ReplyOf<C>> {
    this.asked.push({ channel, request: structuredClone(request) });
    const answer = this.answers[channel];
    if (!answer) throw new RushesError("request.invalid", { sentence: `Nothing answers ${channel}.` });
    return await answer(request);
  }
}

export const demoModel: ModelEntry = {
  id: "demo",
  name: "Demo",
  architecture: "wan2.1-t2v",
  state: "ready",
  problem: null,
  builtIn: true,
  quantization: "int8 (TurboDiffusion)",
  files: [],
  bytes: 22_000_000,
  capabilities: ["distilled", "sla"],
  sizes: [
    { width: 128, height: 128 },
    { width: 96, height: 96 },
  ],
  defaults: { resolution: "128x128", numFrames: 17 },
  limits: {},
  peakBytes: 90_000_000,
  fits: true,
};

/** What a real studio would say of these values with the demo model, near enough for a form. */
export function checkOf(values: Partial<Settings>, change: Partial<DraftCheck> = {}): DraftCheck {
  const inherited: Settings = { ...defaultSettings(values.mode), resolution: "128x128", numFrames: 17, model: "demo" };
  const settings: Settings = { ...inherited, ...values };
  const frameSize = sizeOfResolution(settings.resolution, settings.aspectRatio);
  const words = settings.prompt.trim() === "" ? 0 : settings.prompt.trim().split(/\s+/).length;
  const hidden = allSettings
    .filter(({ needs }) => needs !== null && needs !== "distilled" && needs !== "sla")
    .map(({ id }) => id);
  return {
    settings: { ...settings, ...frameSize },
    automatic: { quantLinear: "int8", attentionType: "sagesla" },
    sources: Object.fromEntries(
      allSettings.map(({ id }) => [id, id in values ? "form" : "default"]),
    ) as DraftCheck["sources"],
    hidden: hidden satisfies SettingId[],
    inherited,
    prompt: { words, tokens: words + 1, tokenLimit: 64, cut: words > 63 },
    noiseLevels: noiseLevels(settings.numSteps, settings.sigmaMax),
    frameSize,
    problems: [],
    refusal: null,
    warnings: [],
    plan: {
      stages: [
        { stage: "text", seconds: 0.1, peakBytes: 20e6, deviceBytes: null },
        { stage: "load", seconds: 0.1, peakBytes: 30e6, deviceBytes: null },
        { stage: "sample", seconds: 0.6, peakBytes: 60e6, deviceBytes: null },
        { stage: "decode", seconds: 0.4, peakBytes: 90e6, deviceBytes: null },
      ],
      peakBytes: 90e6,
      seconds: 1.2,
      learnt: false,
      freeBytes: 8e9,
      budgetBytes: null,
      device: null,
      fits: true,
      fixes: [],
    },
    ...change,
  };
}

/** A job of the demo model; `change` says what the test is about. */
export function jobOf(id: number, change: Partial<Job> = {}): Job {
  const settings = { ...defaultSettings(), resolution: "128x128", width: 128, height: 128, numFrames: 17, seed: 7 };
  return {
    id,
    uid: `uid-${id}`,
    kind: "generate",
    state: "queued",
    prompt: `A red ball number ${id}`,
    mode: "t2v",
    model: "demo",
    files: { dit: "", vae: "", textEncoder: "", tokenizer: "", textLength: 64 },
    inputImage: null,
    seed: 7,
    settings,
    tokenCount: 8,
    createdAt: 1_700_000_000_000 + id,
    startedAt: null,
    finishedAt: null,
    attempts: 0,
    resumedFromStep: 0,
    progress: null,
    warnings: [],
    int8: null,
    plannedSeconds: 2,
    plannedPeakBytes: 90e6,
    deviceName: null,
    lowered: null,
    expectedSeconds: null,
    keptStep: null,
    latentsPath: null,
    savePath: null,
    pendingVideoPath: null,
    sourceJobId: null,
    video: null,
    error: null,
    fix: null,
    ...change,
  };
}

export function detailOf(id: number, change: Partial<HistoryDetail> = {}): HistoryDetail {
  return {
    ...jobOf(id, { state: "done", startedAt: 1_700_000_000_000, finishedAt: 1_700_000_002_000 }),
    video: { path: "/v.mp4", posterPath: "/v.png", copyPath: null, bytes: 1000, frames: 17, width: 128, height: 128 },
    stages: [],
    steps: [],
    log: [],
    changes: [],
    favourite: false,
    stackSize: 1,
    deletedAt: null,
    int8Names: [],
    canDecodeAgain: true,
    ...change,
  };
}
