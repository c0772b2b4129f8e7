// The catalogue and what is derived from it: types, defaults, checks, spellings, sizes.
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  allSettings,
  checkSetting,
  defaultSettings,
  differences,
  type EngineSettings,
  engineSettings,
  isSettingId,
  type Lora,
  type SettingId,
  type Settings,
  settingOf,
} from "../../contract/settings/derive.ts";
import {
  formatValue,
  kebabCase,
  lorasAsText,
  readText,
  readValue,
  settingIdOf,
  snakeCase,
} from "../../contract/settings/flags.ts";
import { applyRenames } from "../../contract/settings/renames.ts";
import { sizeOfResolution } from "../../contract/settings/resolution.ts";

const named = (id: SettingId) => ({ ...settingOf(id), id });
const sentence = (id: SettingId, value: unknown) => checkSetting(id, value)?.sentence;

describe("the catalogue", () => {
  test("ids, flags and aliases are unique, and no two share a place in a group", () => {
    const spellings = allSettings.flatMap(({ id, aliases = [] }) => [snakeCase(id), ...aliases]);
    expect(new Set(spellings).size).toBe(spellings.length);
    const places = allSettings.map(({ group, order }) => `${group} ${order}`);
    expect(new Set(places).size).toBe(places.length);
  });
  test("every default passes its own check, but for the prompt nobody has written yet", () => {
    for (const mode of ["t2v", "i2v"] as const)
      for (const { id } of allSettings)
        if (id !== "prompt") expect(checkSetting(id, defaultSettings(mode)[id]), id).toBeNull();
    expect(sentence("prompt", defaultSettings().prompt)).toBe("Prompt is empty.");
  });
  test("Image to Video has its own resolution and sigma", () => {
    expect(defaultSettings("i2v")).toMatchObject({ mode: "i2v", resolution: "720p", sigmaMax: 200 });
    expect(defaultSettings()).toMatchObject({ mode: "t2v", resolution: "480p", sigmaMax: 80 });
  });
  test("types follow from the entries", () => {
    expectTypeOf<Settings["quantLinear"]>().toEqualTypeOf<"auto" | "off" | "int8">();
    expectTypeOf<Settings["seed"]>().toEqualTypeOf<number | null>();
    expectTypeOf<Settings["ode"]>().toEqualTypeOf<boolean>();
    expectTypeOf<EngineSettings["seed"]>().toEqualTypeOf<number>();
    expectTypeOf<EngineSettings>().not.toHaveProperty("negativePrompt");
  });
  test("the addon gets its own fields only, and nothing for what is not known yet", () => {
    const given = engineSettings({ ...defaultSettings(), width: 128 });
    expect(given).toMatchObject({ width: 128, numFrames: 81, quantLinear: "auto", slaTopk: 0.1 });
    expect(given).not.toHaveProperty("seed");
    expect(given).not.toHaveProperty("prompt");
  });
});

describe("checks", () => {
  test.each<[SettingId, unknown, string]>([
    ["prompt", "", "Prompt is empty."],
    ["prompt", " \n\t", "Prompt is empty."],
    ["prompt", "a".repeat(10_000), "Prompt has 10,000 characters; at most 4,000 are read."],
    ["prompt", "a\0b", "Prompt has a NUL character in it."],
    ["numFrames", 12, "Frames is 4n+1, not 12."],
    ["numFrames", 245, "Frames is a whole number from 5 to 241, not 245."],
    ["numFrames", 17.5, "Frames is a whole number from 5 to 241, not 17.5."],
    ["width", 130, "Width is a multiple of 16, not 130."],
    ["numSteps", 0, "Steps is a whole number from 1 to 4, not 0."],
    ["slaTopk", 0, "SLA Top-K is a number from 0.01 to 1, not 0."],
    ["sigmaMax", -80, "Sigma Max is a number from 1 to 1600, not -80."],
    ["sigmaMax", Number.NaN, "Sigma Max is a number from 1 to 1600, not null."],
    ["seed", 2 ** 53, "Seed is a whole number from 0 to 9007199254740991, not 9007199254740992."],
    ["ode", "maybe", 'ODE sampling is on or off, not "maybe".'],
    ["attentionType", "flash", 'Attention is one of auto, original, sla, sagesla, not "flash".'],
    ["numSamples", null, "Samples is a whole number from 1 to 16, not null."],
  ])("%s = %j", (id, value, expected) => expect(sentence(id, value)).toBe(expected));
  test("the nearest values that work are named", () => {
    expect(checkSetting("numFrames", 12)?.advice).toBe("Use 9 or 13.");
    expect(checkSetting("numFrames", 240)?.advice).toBe("Use 237 or 241.");
    expect(checkSetting("height", 100)?.advice).toBe("Use 96 or 112.");
  });
  test("a prompt of 4,000 characters is fine, whatever their width in bytes", () => {
    expect(checkSetting("prompt", "红".repeat(4000))).toBeNull();
    expect(checkSetting("prompt", "🎈".repeat(4000))).toBeNull();
    expect(checkSetting("prompt", "🎈".repeat(4001))).not.toBeNull();
  });
  test("a model's limits replace the catalogue's", () => {
    expect(checkSetting("numSteps", 50, { max: 100 })).toBeNull();
    expect(checkSetting("quantLinear", "int8", { choices: ["auto", "off"] })).not.toBeNull();
  });
  test("null is only for settings that give it a meaning", () => {
    expect(checkSetting("seed", null)).toBeNull();
    expect(checkSetting("numSteps", null)).not.toBeNull();
  });
  test("LoRA strengths end at 2", () => {
    expect(readText(named("loras"), "a.safetensors:0.8,b.safetensors")).toEqual({
      value: [
        { file: "a.safetensors", strength: 0.8, expert: "both" },
        { file: "b.safetensors", strength: 1, expert: "both" },
      ],
    });
    expect(readText(named("loras"), "a.safetensors:3")).toHaveProperty("problem");
    for (const strength of [Number.NaN, Infinity, -2.01, "1", null])
      expect(checkSetting("loras", [{ file: "a", strength, expert: "both" }]), String(strength)).not.toBeNull();
    for (const file of ["", " ", "a\0b", 3, "a".repeat(5000)])
      expect(checkSetting("loras", [{ file, strength: 1, expert: "both" }])).not.toBeNull();
    expect(checkSetting("loras", [{ file: "a", strength: 1, expert: "all" }])).not.toBeNull();
    expect(checkSetting("loras", [{ file: "a", strength: 1 }])).not.toBeNull();
  });
  test("there are sixteen LoRAs at most", () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ file: `${index}.pth`, strength: 1, expert: "both" }));
    expect(checkSetting("loras", many(16))).toBeNull();
    expect(checkSetting("loras", many(17))?.sentence).toBe("LoRA is a list of 16 files at most, not 17.");
  });
  test.each([
    ["night", "night", 1, "both"],
    ["night:0.8", "night", 0.8, "both"],
    ["night:high", "night", 1, "high"],
    ["night:-1.5:LOW", "night", -1.5, "low"],
    ["C:\\loras\\night.safetensors:2", "C:\\loras\\night.safetensors", 2, "both"],
    ["style-v1.5", "style-v1.5", 1, "both"],
    ["night:1e-7", "night", 1e-7, "both"],
    ["a\\,b.pth:1", "a,b.pth", 1, "both"],
  ])("the LoRA %s", (text, file, strength, expert) => {
    const value = [{ file, strength, expert }] as Lora[];
    expect(readText(named("loras"), text)).toEqual({ value });
    expect(readText(named("loras"), lorasAsText(value))).toEqual({ value });
    expect(readValue(named("loras"), [text])).toEqual({ value });
  });
  test("no LoRAs are none", () => {
    for (const text of ["", "none"]) expect(readText(named("loras"), text)).toEqual({ value: [] });
    expect(formatValue(named("loras"), [])).toBe("none");
  });
  test("a LoRA is shown without its folders, whichever system named it", () => {
    const value = [
      { file: "/home/me/loras/night.safetensors", strength: 0.5, expert: "both" },
      { file: "D:\\styles\\old.pth", strength: 1, expert: "low" },
    ];
    expect(formatValue(named("loras"), value)).toBe("night.safetensors:0.5, old.pth:1:low");
  });
});

describe("spellings", () => {
  test("kebab-case, TurboDiffusion's underscores, camelCase and aliases name the same setting", () => {
    for (const { id } of allSettings)
      for (const spelling of [id, kebabCase(id), snakeCase(id)]) expect(settingIdOf(spelling)).toBe(id);
    expect(settingIdOf("image_path")).toBe("image");
    expect(settingIdOf("constructor")).toBeNull();
    expect(isSettingId("toString")).toBe(false);
  });
  test("a value written as text and read again is the same value", () => {
    const settings = defaultSettings();
    for (const { id } of allSettings) {
      if (id === "prompt" || id === "loras" || id === "negativePrompt" || id === "image") continue;
      const setting = named(id);
      const text = settings[id] === null ? (id === "seed" ? "random" : "auto") : formatValue(setting, settings[id]);
      expect(readText(setting, text), `${id} ${text}`).toEqual({ value: settings[id] });
    }
  });
  test("numbers are decimal, with a point", () => {
    expect(readText(named("slaTopk"), ".15")).toEqual({ value: 0.15 });
    expect(readText(named("sigmaMax"), "1e3")).toEqual({ value: 1000 });
    for (const text of ["0x10", "", "1,5", "Infinity", "12px"])
      expect(readText(named("sigmaMax"), text), text).toHaveProperty("problem");
  });
  test("true and false mean int8 and off, as in TurboDiffusion's config", () => {
    expect(readValue(named("quantLinear"), true)).toEqual({ value: "int8" });
    expect(readValue(named("quantLinear"), false)).toEqual({ value: "off" });
    expect(readValue(named("attentionType"), true)).toHaveProperty("problem");
  });
});

describe("sizes", () => {
  test.each([
    ["480p", "16:9", 832, 480],
    ["480p", "9:16", 480, 832],
    ["480p", "1:1", 640, 640],
    ["720p", "4:3", 960, 720],
    ["720p", "1:1", 960, 960],
    ["128x96", "16:9", 128, 96],
    ["128×96", "16:9", 128, 96],
  ])("%s %s is %d x %d", (resolution, aspect, width, height) =>
    expect(sizeOfResolution(resolution, aspect)).toEqual({ width, height }),
  );
  test("the largest that can be written is a size, either way round", () => {
    for (const [width, height] of [
      [4096, 2304],
      [2304, 4096],
      [4096, 16],
    ] as const)
      expect(sizeOfResolution(`${width}x${height}`, "16:9")).toEqual({ width, height });
    expect(checkSetting("resolution", "2400x2400")).toMatchObject({
      sentence:
        "Resolution is 480p, 720p or WIDTHxHEIGHT with both a multiple of 16 from 16 to 4096 and one of them " +
        'at most 2304, not "2400x2400".',
      advice: "Use 480p, 720p, or a size such as 832x480.",
    });
  });
  test.each(["1080p", "130x128", "0x16", "16", "128x", "4112x16", "2400x2400", "2320x4096", "toString", "-16x16"])(
    "%s is none",
    (text) => expect(sizeOfResolution(text, "16:9")).toBeNull(),
  );
});

test("differences are the settings that changed, in catalogue order", () => {
  const from = defaultSettings();
  expect(differences(from, { ...from, seed: 7, numFrames: 17 })).toEqual([
    { id: "numFrames", from: 81, to: 17 },
    { id: "seed", from: null, to: 7 },
  ]);
  expect(differences(from, { ...from, loras: [] })).toEqual([]);
});

test("old ids become today's, and a value under today's id wins", () => {
  const list = [{ version: 2, from: "topk", to: "slaTopk" }] as const;
  expect(applyRenames({ topk: 0.2, seed: 1 }, 1, list)).toEqual({ slaTopk: 0.2, seed: 1 });
  expect(applyRenames({ topk: 0.2, slaTopk: 0.3 }, 1, list)).toEqual({ slaTopk: 0.3 });
  expect(applyRenames({ topk: 0.2 }, 2, list)).toEqual({ topk: 0.2 });
});
