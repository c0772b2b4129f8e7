// Which source wins, and what follows from the winners.
import { describe, expect, test } from "vitest";
import { differences, type Settings } from "../../../contract/settings/derive.ts";
import { type ModelTraits, resolveSettings, valuesTogether } from "../../../app/settings/resolve.ts";
import type { SettingSource, SourceKind } from "../../../app/settings/sources.ts";
import { randomNumbers } from "../../random-numbers.ts";

const demo: ModelTraits = {
  name: "Demo",
  capabilities: ["distilled", "sla"],
  sizes: [
    { width: 128, height: 128 },
    { width: 224, height: 128 },
    { width: 128, height: 224 },
    { width: 96, height: 96 },
  ],
  defaults: { width: 128, height: 128, numFrames: 17 },
  limits: {},
};

function source(kind: SourceKind, values: Partial<Settings>, origin: string = kind): SettingSource {
  return { kind, origin, values };
}

function flags(values: Partial<Settings>, model: ModelTraits | null = demo) {
  return resolveSettings([source("flag", values)], model);
}

describe("the strongest source wins", () => {
  test("default, model, config, preset, flag, in that order", () => {
    const layers = [
      source("config", { numFrames: 21 }),
      source("preset", { numFrames: 25 }),
      source("flag", { numFrames: 29 }),
    ];
    const winners = [[], layers.slice(0, 1), layers.slice(0, 2), layers].map((given) => resolveSettings(given, demo));
    expect(winners.map(({ settings }) => settings.numFrames)).toEqual([17, 21, 25, 29]);
    expect(winners.map(({ origins }) => origins.numFrames.kind)).toEqual(["model", "config", "preset", "flag"]);
    expect(resolveSettings([], null).settings.numFrames).toBe(81);
    expect(resolveSettings([], null).origins.numFrames).toEqual({ kind: "default", origin: "" });
  });
  test("a given null wins too: the seed is random again", () => {
    const { settings, origins } = resolveSettings(
      [source("config", { seed: 5 }), source("flag", { seed: null })],
      demo,
    );
    expect(settings.seed).toBeNull();
    expect(origins.seed.kind).toBe("flag");
  });
  test("undefined is no value", () => {
    const given = [source("config", { numSteps: 2 }), source("flag", { numSteps: undefined } as unknown as Settings)];
    expect(resolveSettings(given, demo).settings.numSteps).toBe(2);
  });
  test("resolving what was resolved changes nothing", () => {
    const first = flags({ prompt: "a ball", numSteps: 2, ode: true, seed: 3, resolution: "96x96" }).settings;
    expect(differences(first, flags(first).settings)).toEqual([]);
  });
});

describe("size", () => {
  const size = (...given: SettingSource[]) => {
    const { width, height } = resolveSettings(given, demo).settings;
    return `${width}x${height}`;
  };
  test("a model's own size stands until somebody asks for another", () => {
    expect(size()).toBe("128x128");
    expect(size(source("config", { resolution: "480p" }))).toBe("832x480");
    expect(size(source("flag", { resolution: "720p", aspectRatio: "9:16" }))).toBe("720x1280");
    expect(size(source("flag", { resolution: "64x48" }))).toBe("64x48");
  });
  test("a shape alone takes the model's own size of that shape, and the run that is written down leads there again", () => {
    for (const [aspectRatio, wanted] of [
      ["16:9", "224x128"],
      ["9:16", "128x224"],
      ["1:1", "128x128"],
      ["4:3", "128x128"],
    ] as const) {
      expect(size(source("flag", { aspectRatio })), aspectRatio).toBe(wanted);
      const { settings } = flags({ aspectRatio });
      expect(settings.resolution).toBe(wanted);
      expect(size(source("preset", { ...settings, prompt: "a ball" }))).toBe(wanted);
    }
    expect(flags({ aspectRatio: "16:9" }).warnings).toEqual([]);
    expect(size(source("config", { resolution: "96x96" }), source("flag", { aspectRatio: "16:9" }))).toBe("96x96");
    expect(size(source("flag", { aspectRatio: "16:9", width: 96 }))).toBe("96x128");
  });
  test("width and height replace a resolution that is not stronger", () => {
    expect(size(source("flag", { width: 96 }))).toBe("96x128");
    expect(size(source("config", { resolution: "480p" }), source("flag", { width: 640 }))).toBe("640x480");
    expect(size(source("config", { width: 640 }), source("flag", { resolution: "480p" }))).toBe("832x480");
    expect(size(source("flag", { resolution: "480p", height: 512 }))).toBe("832x512");
  });
  test("sources as one come to the size they come to in layers, whatever each of them says", () => {
    const random = randomNumbers(7);
    const pick = <T>(...from: T[]) => from[Math.floor(random() * from.length)]!;
    const layer = (kind: SourceKind) => {
      const values = {
        resolution: pick(undefined, undefined, "480p", "96x64"),
        aspectRatio: pick(undefined, undefined, "9:16", "1:1"),
        width: pick(undefined, undefined, 64, null),
        height: pick(undefined, undefined, 80, null),
        numSteps: pick(undefined, 2),
      };
      // Absent, or there without a value.
      const said = Object.entries(values).filter(([, value]) => value !== undefined || random() < 0.3);
      return source(kind, Object.fromEntries(said));
    };
    for (let round = 0; round < 2000; round++) {
      const layers = [layer("config"), layer("preset"), layer("flag")];
      const apart = resolveSettings(layers, demo);
      const together = resolveSettings([source("flag", valuesTogether(layers))], demo);
      const { width, height, numSteps, aspectRatio } = apart.settings;
      expect(together.settings, JSON.stringify(layers)).toMatchObject({ width, height, numSteps, aspectRatio });
      expect(together.fixedSize, JSON.stringify(layers)).toBe(apart.fixedSize);
    }
  });
  test("the source of a size is the source of what decided it", () => {
    const { origins } = resolveSettings(
      [source("config", { resolution: "480p" }), source("flag", { width: 640 })],
      demo,
    );
    expect([origins.width.kind, origins.height.kind]).toEqual(["flag", "config"]);
  });
  test("sizes the model was not made for, and an aspect without effect, are mentioned", () => {
    expect(flags({}).warnings).toEqual([]);
    expect(flags({ resolution: "64x64" }).warnings).toEqual([
      "Demo was made for 128x128, 224x128, 128x224, 96x96; 64x64 may look wrong.",
    ]);
    expect(flags({ aspectRatio: "4:3" }).warnings).toEqual([
      "Aspect (4:3) is not used with a resolution in pixels (128x128).",
    ]);
    expect(flags({ aspectRatio: "9:16", resolution: "96x96" }).warnings).toEqual([
      "Aspect (9:16) is not used with a resolution in pixels (96x96).",
    ]);
  });
});

describe("what a model cannot do", () => {
  test("settings of base models are said to be unused, and kept", () => {
    const { settings, warnings } = flags({
      negativePrompt: "blurry",
      guidanceScale: 5,
      flowShift: 3,
      scheduler: "unipc",
    });
    expect(warnings).toEqual([
      "Negative prompt (blurry) is not used by this model (Demo).",
      "Guidance scale (5) is not used by this model (Demo).",
      "Flow shift (3) is not used by this model (Demo).",
      "Scheduler (unipc) is not used by this model (Demo).",
    ]);
    expect(settings).toMatchObject({ negativePrompt: "blurry", guidanceScale: 5, flowShift: 3, scheduler: "unipc" });
  });
  test("a LoRA or an image would change the video, so they are refused", () => {
    const lora = { file: "a.safetensors", strength: 1, expert: "both" } as const;
    expect(() => flags({ loras: [lora] })).toThrow("Demo cannot use LoRA.");
    const able = { ...demo, capabilities: [...demo.capabilities, "lora"] as const };
    expect(flags({ loras: [lora] }, able)).toMatchObject({ settings: { loras: [lora] }, warnings: [] });
    expect(() => flags({ image: "cat.png" })).toThrow("Demo makes videos from text only");
    expect(() => flags({ mode: "i2v" })).toThrow("Demo makes videos from text only");
    expect(flags({ loras: [] }).warnings).toEqual([]);
  });
  test("a model that begins with a picture makes nothing without one, and needs no mode to be told", () => {
    const model = { ...demo, name: "Moving", capabilities: ["distilled", "i2v"] as const };
    expect(flags({}, model).settings.mode).toBe("i2v");
    expect(() => flags({ mode: "t2v" }, model)).toThrow("Moving starts from an image, and none was given.");
    const both = { ...model, capabilities: ["distilled", "t2v", "i2v"] as const };
    expect(flags({}, both).settings.mode).toBe("t2v");
  });
  test("the frame takes the picture's shape unless its size is in pixels", () => {
    const model = { ...demo, capabilities: ["distilled", "i2v"] as const };
    const picture = { width: 200, height: 100 };
    const sized = (values: Partial<Settings>, given: typeof picture | null = picture) => {
      const { settings, fixedSize } = resolveSettings([source("flag", { image: "cat.png", ...values })], model, given);
      return [settings.width, settings.height, fixedSize];
    };
    expect(sized({})).toEqual([176, 96, false]);
    expect(sized({}, null)).toEqual([128, 128, false]);
    expect(sized({ resolution: "480p", aspectRatio: "9:16" })).toEqual([896, 448, false]);
    expect(sized({ adaptiveResolution: false })).toEqual([128, 128, false]);
    expect(sized({ width: 96 })).toEqual([96, 128, true]);
    // A resolution that is stronger than a width takes the shape.
    const layers = [source("config", { width: 640 }), source("flag", { image: "cat.png", resolution: "128x128" })];
    expect(resolveSettings(layers, model, picture).settings).toMatchObject({ width: 176, height: 96 });
    expect(resolveSettings(layers, model, picture).warnings).toEqual([]);
  });
  test("an image switches to Image to Video where the model has it", () => {
    const model = { ...demo, capabilities: ["distilled", "i2v"] as const, defaults: {}, sizes: [] };
    expect(flags({ image: "cat.png" }, model).settings).toMatchObject({
      mode: "i2v",
      sigmaMax: 200,
      width: 1280,
      height: 720,
    });
  });
  test("a model's limits are the limits", () => {
    const model = { ...demo, limits: { numFrames: { max: 33 } } };
    expect(() => flags({ numFrames: 37 }, model)).toThrow("Frames is a whole number from 5 to 33, not 37.");
  });
  test("a wrong value in a file is named with its file", () => {
    expect(() => resolveSettings([source("config", { numSteps: 9 }, "my.yaml")], demo)).toThrow("my.yaml: Steps is");
  });
});
