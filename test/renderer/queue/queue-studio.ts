// A studio for tests of the queue view, in the page: a queue that is a list, behind the bridge's own door. Requests are kept
// to be looked at, and events are said as the real studio says them.
import type { ChannelName, StudioEvent } from "../../../contract/channels.ts";
import type { Announcement } from "../../../contract/channels/events.ts";
import type { Draft } from "../../../contract/channels/generate.ts";
import type { HistoryCard } from "../../../contract/channels/history.ts";
import { type ErrorRecord, RushesError } from "../../../contract/errors.ts";
import type { Job } from "../../../contract/job.ts";
import { defaultSettings } from "../../../contract/settings/derive.ts";
import { connection } from "../../../renderer/state/connection.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { checkOf } from "../scripted-studio.ts";

type Values = Record<string, never> & {
  jobId: number;
  beforeJobId: number | null;
  jobIds: number[];
  draft: Draft;
  drafts: Draft[];
};

export class QueueStudio {
  running: Job | null = null;
  waiting: Job[] = [];
  failed: HistoryCard[] = [];
  paused = false;
  /** What a list of prompts comes to; null: what its lines say. */
  rows: Draft[] | null = null;
  /** Why no draft can run with the form's settings. */
  unfit: ErrorRecord | null = null;
  /** Refuses the next change of the queue. */
  refusal: RushesError | null = null;
  readonly asked: { channel: ChannelName; value: unknown }[] = [];
  readonly #listeners = new Set<(event: StudioEvent) => void>();
  readonly #removed = new Map<number, Job>();
  readonly #stops: (() => void)[] = [];
  #number = 0;

  /** Takes the studio's place and connects the window's state to it. */
  start(): this {
    const bridge = {
      request: (channel: ChannelName, value: unknown) => this.#answer(channel, value as Values),
      listen: (onEvent: (event: StudioEvent) => void) => {
        this.#listeners.add(onEvent);
        return () => void this.#listeners.delete(onEvent);
      },
      pathOf: () => "",
    };
    Object.defineProperty(window, "rushes", { value: bridge, configurable: true });
    connection.start();
    this.#stops.push(jobs.start(), liveJob.start());
    return this;
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    connection.stop();
  }

  say(news: Announcement): void {
    const event: StudioEvent = { ...news, number: ++this.#number };
    for (const listener of this.#listeners) listener(event);
  }

  /** Something was said that never arrived: at the next event the window asks for everything again. */
  lose(): void {
    this.#number++;
  }

  get order(): number[] {
    return this.waiting.map(({ id }) => id);
  }

  requests(channel: ChannelName): unknown[] {
    return this.asked.filter((each) => each.channel === channel).map(({ value }) => value);
  }

  async #answer(channel: ChannelName, value: Values): Promise<unknown> {
    this.asked.push({ channel, value });
    const refusal = this.refusal;
    if (refusal && channel.startsWith("queue:") && channel !== "queue:state") {
      this.refusal = null;
      throw refusal;
    }
    const reply = this.#reply(channel, value);
    if (channel.startsWith("queue:") && channel !== "queue:state") this.say({ kind: "queue:changed" });
    return Promise.resolve(reply);
  }

  #reply(channel: ChannelName, value: Values): unknown {
    const { jobId } = value;
    const others = this.waiting.filter(({ id }) => id !== jobId);
    const moved = this.waiting.find(({ id }) => id === jobId);
    switch (channel) {
      case "queue:state": {
        const { running, waiting, paused } = this;
        return {
          running,
          preview: null,
          waiting: [...waiting],
          paused,
          elsewhere: false,
          // What it was when it was asked for; the window goes by its clock.
          etaSeconds: 12 * (waiting.length + 1),
        };
      }
      case "queue:move": {
        const place = others.findIndex(({ id }) => id === value.beforeJobId);
        this.waiting = others.toSpliced(place < 0 ? others.length : place, 0, moved!);
        return {};
      }
      case "queue:runNext":
        this.waiting = [moved!, ...others];
        return {};
      case "queue:remove":
        for (const job of this.waiting) if (value.jobIds.includes(job.id)) this.#removed.set(job.id, job);
        this.waiting = this.waiting.filter(({ id }) => !value.jobIds.includes(id));
        return {};
      case "queue:retry": {
        const job = this.#removed.get(jobId) ?? sampleJob(jobId);
        this.waiting = [...this.waiting, job];
        this.failed = this.failed.filter(({ id }) => id !== jobId);
        return { job };
      }
      case "queue:pause":
      case "queue:resume":
        this.paused = channel === "queue:pause";
        return {};
      case "queue:add":
        return { jobs: value.drafts.map((_, index) => sampleJob(100 + index)) };
      case "generate:expand":
        return this.rows
          ? { drafts: this.rows, total: this.rows.length, problems: [] }
          : expanded(String(value["text"]));
      case "generate:check": {
        const check = checkOf(value.draft.values);
        return { ...check, refusal: this.unfit, plan: { ...check.plan!, seconds: 12, learnt: true } };
      }
      case "history:find":
        return { ids: this.failed.map(({ id }) => id) };
      case "history:cards":
        return { cards: this.failed };
      case "studio:hello":
        return {
          version: "0.1.0",
          libraryFolder: "/library",
          door: "window",
          capabilities: {},
          roots: [],
          language: "en",
        };
      default:
        return {};
    }
  }
}

/** Two lines with choices, as the studio's own reader has them. */
function expanded(text: string) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const drafts = lines.flatMap((line) => {
    const choices = /\{([^}]*)\}/.exec(line);
    return (choices?.[1]?.split("|") ?? [""]).map((choice) => ({
      values: { prompt: choices ? line.replace(choices[0], choice) : line },
    }));
  });
  return { drafts, total: drafts.length, problems: text.includes("}{") ? ["line 1: a brace is not closed."] : [] };
}

export function sampleJob(id: number, changes: Partial<Job> = {}): Job {
  const prompt = `Prompt ${id}: a sailing boat crosses a calm sea at sunset, its wake catching the last orange light`;
  return {
    id,
    uid: `uid-${id}`,
    kind: "generate",
    state: "queued",
    prompt,
    mode: "t2v",
    model: "demo",
    files: { dit: "", vae: "", textEncoder: "", tokenizer: "", textLength: 512 },
    inputImage: null,
    seed: 42,
    settings: {
      ...defaultSettings(),
      prompt,
      model: "demo",
      seed: 42,
      width: 832,
      height: 480,
      numFrames: 81,
      fps: 16,
    },
    tokenCount: 20,
    createdAt: 1_760_000_000_000,
    startedAt: null,
    finishedAt: null,
    attempts: 0,
    resumedFromStep: 0,
    progress: null,
    warnings: [],
    int8: null,
    plannedSeconds: null,
    plannedPeakBytes: null,
    deviceName: null,
    lowered: null,
    expectedSeconds: 12,
    keptStep: null,
    latentsPath: null,
    savePath: null,
    pendingVideoPath: null,
    sourceJobId: null,
    video: null,
    error: null,
    fix: null,
    ...changes,
  };
}

export function failedCard(id: number, errorSentence: string): HistoryCard {
  const { prompt, seed, createdAt, model } = sampleJob(id);
  return {
    ...{ id, kind: "generate", state: "failed", prompt, mode: "t2v", model, seed, width: 832, height: 480 },
    ...{ numFrames: 81, numSteps: 4, fps: 16, createdAt, seconds: null, favourite: false, stackSize: 1 },
    ...{ hasVideo: false, errorSentence, deletedAt: null },
  };
}
