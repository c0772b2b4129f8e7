// Results for tests of the history and of comparing: cards, details, and a studio that has them. Their videos are
// clip-server.ts's.
import type { HistoryCard, HistoryDetail } from "../../contract/channels/history.ts";
import type { DoorCapabilities } from "../../contract/channels/studio.ts";
import { defaultSettings } from "../../contract/settings/derive.ts";
import { clipFps, clipFrames, clipHeight, clipWidth } from "./clips.ts";
import { ScriptedStudio } from "./scripted-studio.ts";

/** What a studio with results answers, unless a test says otherwise. */
export function resultsStudio(answers: ScriptedStudio["answers"] = {}, capabilities: Partial<DoorCapabilities> = {}) {
  const studio: ScriptedStudio = new ScriptedStudio({
    "exports:list": () => ({ exports: [] }),
    "history:find": () => ({ ids: [] }),
    "history:cards": ({ ids }) => ({ cards: ids.map((id) => sampleCard(id)) }),
    "history:detail": ({ jobId }) => ({ detail: sampleDetail(jobId) }),
    "history:facets": () => ({ models: [], states: [], sizes: [], favourites: 0, deleted: 0 }),
    "history:favourite": () => ({}),
    "history:delete": ({ jobIds }) => ({ jobIds }),
    "history:restore": () => ({}),
    "history:purge": () => ({}),
    ...answers,
  });
  const hello = studio.answers["studio:hello"]!;
  studio.answers["studio:hello"] = async (nothing) => {
    const said = await hello(nothing);
    return { ...said, capabilities: { ...said.capabilities, ...capabilities } };
  };
  return { studio, end: studio.connect() };
}

const prompts = [
  "A lone sailing boat crosses a calm sea at sunset, its wake catching the last orange light",
  "Night rain on a neon street; a woman with a red umbrella walks towards the camera",
  "一只橘猫在雨夜的街道上慢慢走过，电影感",
  "Macro shot of frost growing across a window pane at dawn",
];

export function sampleCard(id: number, changes: Partial<HistoryCard> = {}): HistoryCard {
  return {
    id,
    kind: "generate",
    state: "done",
    prompt: prompts[id % prompts.length]!,
    mode: "t2v",
    model: "demo",
    seed: 418200931 + id,
    width: clipWidth,
    height: clipHeight,
    numFrames: clipFrames,
    numSteps: 4,
    fps: clipFps,
    createdAt: 1_760_000_000_000 + id * 60_000,
    seconds: 12.5,
    favourite: id % 7 === 0,
    stackSize: id % 5 === 0 ? 3 : 1,
    hasVideo: true,
    errorSentence: null,
    deletedAt: null,
    ...changes,
  };
}

/** A stage that ran without a graphics card. */
const noCard = { deviceBytes: null, plannedDeviceBytes: null };

/** A finished job with everything a result can have. */
export function sampleDetail(id: number, changes: Partial<HistoryDetail> = {}): HistoryDetail {
  const card = sampleCard(id);
  const { prompt, seed } = card;
  const size = { width: clipWidth, height: clipHeight };
  return {
    id,
    uid: `uid-${id}`,
    kind: "generate",
    state: "done",
    prompt,
    mode: "t2v",
    model: "demo",
    files: { dit: "/m/dit.pth", vae: "/m/vae.pth", textEncoder: "/m/t5.pth", tokenizer: "/m/t.json", textLength: 512 },
    inputImage: null,
    seed,
    settings: {
      ...defaultSettings(),
      prompt,
      seed,
      model: "demo",
      ...size,
      numFrames: clipFrames,
      fps: clipFps,
      quantLinear: "int8",
      attentionType: "sagesla",
    },
    tokenCount: 24,
    createdAt: card.createdAt,
    startedAt: card.createdAt + 1000,
    finishedAt: card.createdAt + 13_500,
    attempts: 1,
    resumedFromStep: 0,
    progress: null,
    warnings: ["The prompt is very short; a whole sentence says more of what to show."],
    int8: { layers: 80, bytes16: 2_600_000_000, bytes: 1_350_000_000 },
    plannedSeconds: 12,
    plannedPeakBytes: 3e9,
    lowered: null,
    expectedSeconds: null,
    keptStep: null,
    latentsPath: `/library/latents/${id}.safetensors`,
    savePath: null,
    pendingVideoPath: null,
    sourceJobId: null,
    video: {
      path: `/library/videos/2026-01-02_120000_t2v_${seed}.mp4`,
      posterPath: `/library/videos/2026-01-02_120000_t2v_${seed}.png`,
      copyPath: null,
      bytes: 900_000,
      frames: clipFrames,
      ...size,
    },
    error: null,
    fix: null,
    deviceName: null,
    stages: [
      { ...noCard, attempt: 1, stage: "text", seconds: 0.4, peakBytes: 5.9e9, plannedSeconds: 0.5, plannedBytes: 6e9 },
      { ...noCard, attempt: 1, stage: "load", seconds: 1.2, peakBytes: 6e9, plannedSeconds: 1, plannedBytes: 6e9 },
      {
        ...noCard,
        attempt: 1,
        stage: "sample",
        seconds: 9.6,
        peakBytes: 15.8e9,
        plannedSeconds: 9,
        plannedBytes: 16e9,
      },
      { ...noCard, attempt: 1, stage: "decode", seconds: 1.8, peakBytes: 9.1e9, plannedSeconds: 2, plannedBytes: 9e9 },
      { ...noCard, attempt: 1, stage: "save", seconds: 0.1, peakBytes: null, plannedSeconds: null, plannedBytes: null },
    ],
    steps: [],
    log: [
      { at: card.createdAt + 2000, level: "info", line: "int8 on 80 linear layers" },
      { at: card.createdAt + 9000, level: "info", line: "sampling took 9.6 s" },
    ],
    changes: [
      { state: "queued", at: card.createdAt, note: "accepted" },
      { state: "running", at: card.createdAt + 1000, note: "" },
      { state: "done", at: card.createdAt + 13_500, note: "" },
    ],
    favourite: card.favourite,
    stackSize: 1,
    deletedAt: null,
    int8Names: Array.from({ length: 80 }, (_, layer) => `blocks.${layer >> 3}.ffn.${layer & 7}`),
    canDecodeAgain: true,
    ...changes,
  };
}
