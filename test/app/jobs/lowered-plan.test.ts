// What becomes of a job that filled the memory: which plan it goes on with, how often, and what it says when there is none.
import { describe, expect, test } from "vitest";
import { RushesError } from "../../../contract/errors.ts";
import { formatMemory } from "../../../contract/format-bytes.ts";
import { type LoweredPlan, loweredSentence } from "../../../contract/lowered-plan.ts";
import { defaultSettings, type EngineSettings } from "../../../contract/settings/derive.ts";
import type { Plan, PlanFix } from "../../../app/engine/addon.ts";
import { attemptSettings, type FullMemory, lowerPlan } from "../../../app/jobs/lowered-plan.ts";

const own = { ...defaultSettings(), prompt: "A red ball", memoryBudget: 0 };
const gigabyte = 1e9;

interface Level {
  bytes: number;
  resident?: boolean;
  streamed?: boolean;
  vaeTiling?: "on";
}

/** The levels that an engine knows, the mildest first; none above the budget is chosen while one below it is there. */
const cardLevels: Level[] = [
  { bytes: 16 * gigabyte, resident: true },
  { bytes: 12 * gigabyte },
  { bytes: 9 * gigabyte, vaeTiling: "on" },
  { bytes: 5 * gigabyte, vaeTiling: "on", streamed: true },
];

class Planner {
  readonly asked: Partial<EngineSettings>[] = [];
  fixes: PlanFix[] = [];

  readonly #levels: Level[];
  readonly #card: string | null;
  readonly #freeBytes: number;

  constructor(levels: Level[], card: string | null = "A card", freeBytes = 0) {
    this.#levels = levels;
    this.#card = card;
    this.#freeBytes = freeBytes;
  }

  readonly ask = (settings: Partial<EngineSettings>): Promise<Plan> => {
    this.asked.push(settings);
    const budget = settings.memoryBudget ? Math.round(settings.memoryBudget * 2 ** 30) : Infinity;
    const tiled = this.#levels.filter(({ vaeTiling }) => !vaeTiling || settings.vaeTiling !== "off");
    return Promise.resolve(this.plan(tiled.find(({ bytes }) => bytes <= budget) ?? tiled.at(-1)!, budget));
  };

  plan({ bytes, resident = false, streamed = false, vaeTiling }: Level, budget = Infinity): Plan {
    const fits = bytes <= budget;
    return {
      stages: [],
      peakBytes: bytes,
      freeBytes: this.#freeBytes,
      device: this.#card === null ? null : { name: this.#card, peakBytes: bytes, freeBytes: 0, streamed },
      fits,
      advice: fits ? "" : "Choose 5 frames or fewer: that fits.",
      fixes: fits ? [] : this.fixes,
      seconds: 1,
      resident,
      int8: null,
      settings: { vaeTiling: vaeTiling ?? "off" } as EngineSettings,
    };
  }
}

function full(plan: Plan, more: Partial<FullMemory> = {}, freeBytes?: number): FullMemory {
  const sentence = "This job needs 16 GB and may use less.";
  const error = new RushesError("memory.exhausted", { sentence, neededBytes: plan.peakBytes, freeBytes });
  return { error, plan, settings: own, before: null, decodeOnly: false, ...more };
}

async function lowered(memory: FullMemory, { ask }: Planner): Promise<LoweredPlan> {
  const found = await lowerPlan(memory, ask);
  if ("error" in found) throw found.error;
  return found.lowered;
}

describe("a job that filled the memory", () => {
  test("goes on with the mildest plan that needs less", async () => {
    const planner = new Planner(cardLevels);
    const first = planner.plan(cardLevels[0]!);
    expect(await lowered(full(first), planner)).toMatchObject({
      changes: ["partByPart"],
      deviceName: "A card",
      neededBytes: 16 * gigabyte,
      limitBytes: 16 * gigabyte - 1,
    });
    // What is free is known: plans that need more are not tried.
    const known = await lowered(full(first, {}, 7.8 * gigabyte), planner);
    expect(known).toMatchObject({ changes: ["partByPart", "streamWeights", "tileDecode"], freeBytes: 7.8 * gigabyte });
  });

  test("is lowered as often as there are plans, and no more", async () => {
    const planner = new Planner(cardLevels);
    let plan = planner.plan(cardLevels[0]!);
    let before: LoweredPlan | null = null;
    const changes: string[][] = [];
    for (let attempt = 0; attempt < 10; attempt++) {
      const found = await lowerPlan(full(plan, { before }), planner.ask);
      if ("error" in found) break;
      before = found.lowered;
      changes.push(before.changes);
      plan = await planner.ask(attemptSettings(own, before));
    }
    expect(changes).toEqual([["partByPart"], ["tileDecode"], ["streamWeights"]]);
  });

  test("keeps to a budget of the user's own, and to what is free without one", async () => {
    const levels = [{ bytes: 900, resident: true }, { bytes: 700 }, { bytes: 500 }, { bytes: 300 }];
    const limit = async (free: number, memoryBudget: number) => {
      const planner = new Planner(levels, null, free);
      const settings = { ...own, memoryBudget: memoryBudget / 2 ** 30 };
      const { limitBytes, deviceName } = await lowered(full(planner.plan(levels[0]!), { settings }), planner);
      expect(deviceName).toBeNull();
      return limitBytes;
    };
    expect(await limit(0, 0)).toBe(899);
    expect(await limit(600, 0)).toBe(600);
    expect(await limit(600, 800)).toBe(800);
  });

  test("needs no more than its decode once its latents are there", async () => {
    const planner = new Planner(cardLevels);
    const decode = { stage: "decode" as const, seconds: 1, peakBytes: 1, deviceBytes: 10 * gigabyte };
    const plan = { ...planner.plan(cardLevels[0]!), stages: [decode] };
    const { limitBytes } = await lowered(full(plan, { decodeOnly: true }), planner);
    expect(limitBytes).toBe(10 * gigabyte - 1);
  });

  test("gets settings that only cost time unasked, also against its own, and keeps them", async () => {
    const planner = new Planner(cardLevels);
    planner.fixes = [{ id: "tileDecode", settings: { vaeTiling: "on" }, peakBytes: 1 }];
    const settings = { ...own, vaeTiling: "off" as const };
    const tiled = await lowered(full(planner.plan(cardLevels[1]!), { settings }), planner);
    expect(tiled).toMatchObject({ changes: ["tileDecode"], values: { vaeTiling: "on" } });
    expect(attemptSettings(settings, tiled)).toMatchObject({
      vaeTiling: "on",
      memoryBudget: tiled.limitBytes / 2 ** 30,
    });
    expect(attemptSettings(settings, null)).toMatchObject({ vaeTiling: "off", memoryBudget: 0 });
    const next = await lowered(full(planner.plan(cardLevels[2]!), { settings, before: tiled }), planner);
    expect(next).toMatchObject({ changes: ["streamWeights"], values: { vaeTiling: "on" } });
  });

  test("never changes what the picture shows unasked: it fails, with the smallest change that fits", async () => {
    const planner = new Planner(cardLevels);
    planner.fixes = [
      { id: "int8", settings: { quantLinear: "int8" }, peakBytes: 4 * gigabyte },
      { id: "fewerFrames", settings: { numFrames: 5 }, peakBytes: 3 * gigabyte },
    ];
    const found = await lowerPlan(full(planner.plan(cardLevels[3]!), {}, 4.5 * gigabyte), planner.ask);
    expect(found).toMatchObject({
      error: { code: "memory.exhausted", message: "This job needs 16 GB and may use less.", freeBytes: 4.5 * gigabyte },
      fix: { id: "int8", values: { quantLinear: "int8" }, peakBytes: 4 * gigabyte },
    });
    expect("error" in found && found.error.advice).toBe("Choose 5 frames or fewer: that fits.");
    expect(planner.asked).toHaveLength(1);
  });

  test("is not advised to lift a budget that it never had", async () => {
    const planner = new Planner(cardLevels);
    planner.fixes = [{ id: "removeBudget", settings: { memoryBudget: 0 }, peakBytes: 5 * gigabyte }];
    const last = planner.plan(cardLevels[3]!);
    expect(await lowerPlan(full(last), planner.ask)).toMatchObject({ fix: null });
    const settings = { ...own, memoryBudget: 1 };
    expect(await lowerPlan(full(last, { settings }), planner.ask)).toMatchObject({ fix: { id: "removeBudget" } });
  });
});

test("the sentence says what was full, needed and free, and how the job goes on", () => {
  const plan: LoweredPlan = {
    changes: ["streamWeights"],
    neededBytes: 9.1 * 2 ** 30,
    freeBytes: 7.8 * 2 ** 30,
    deviceName: "A card",
    limitBytes: 7.8e9,
    values: {},
  };
  expect(loweredSentence(plan, formatMemory)).toBe(
    "The card was full (needs 9.1 GB, 7.8 GB free); going on with blocks streamed from memory.",
  );
  expect(loweredSentence({ ...plan, deviceName: null, changes: ["partByPart", "tileDecode"] }, formatMemory)).toBe(
    "Memory was full (needs 9.1 GB, 7.8 GB free); going on with one part of the model at a time and the decode in tiles.",
  );
});
