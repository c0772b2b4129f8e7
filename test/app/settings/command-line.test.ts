// The command line that repeats a video says exactly what differs: read back by the real parser it gives the same settings,
// whatever they are.
import { execFileSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runProgram } from "../../../app/cli/program.ts";
import { normaliseArguments } from "../../../app/cli/arguments.ts";
import { flagValues } from "../../../app/cli/setting-flags.ts";
import { settingOptions } from "../../../app/cli/arguments.ts";
import { commandLine } from "../../../app/settings/command-line.ts";
import { type ModelTraits, resolveSettings } from "../../../app/settings/resolve.ts";
import type { SettingSource } from "../../../app/settings/sources.ts";
import { allSettings, differences, type Settings } from "../../../contract/settings/derive.ts";
import type { Setting } from "../../../contract/settings/setting.ts";
import { Command, Option } from "commander";

const usualLibrary = join(homedir(), "Videos", "Rushes");
const traits: ModelTraits = {
  name: "Demo",
  capabilities: ["distilled", "base", "sla", "t2v", "i2v", "twoExperts", "lora", "gpu"],
  sizes: [],
  defaults: { width: 128, height: 128, numFrames: 17, slaTopk: 0.12 },
  limits: {},
};

/** The words of a line as a shell makes them. */
function shellWords(line: string): string[] {
  const script = line.replace(/^\.\/rushes/, "set --") + `; printf '%s\\0' "$@"`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
}

/** What the command line's own parser makes of the words: flags as values, and the prompt. */
function parsed(words: readonly string[]): { values: Partial<Settings>; library: string; model: string; dit?: string } {
  const program = new Command("generate").argument("[prompt...]").exitOverride();
  program.option("--library <folder>").option("--dit-path <file>").option("--vae-path <file>");
  program.option("--text-encoder-path <file>").option("--tokenizer-path <file>");
  for (const { flags } of settingOptions()) program.addOption(new Option(flags));
  program.parse(normaliseArguments(words.slice(1)), { from: "user" });
  const options = program.opts<Record<string, unknown>>();
  const { values } = flagValues(options);
  const [prompt] = program.args;
  return {
    values: { ...values, ...(prompt === undefined ? {} : { prompt }) },
    library: String(options["library"] ?? usualLibrary),
    model: String(options["model"] ?? ""),
    ...(options["ditPath"] === undefined ? {} : { dit: String(options["ditPath"]) }),
  };
}

function resolveWith(below: readonly SettingSource[], flags: Partial<Settings>): Settings {
  return resolveSettings([...below, { kind: "flag", origin: "", values: flags }], traits).settings;
}

/** Repeatable random numbers, 0 to 1 (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const texts = [
  "a ball",
  "--flag",
  "-p x",
  'it\'s "quoted" $HOME `ls` \\ !',
  "一个红色的球",
  "two\nlines\ttab",
  "=",
  "*",
  "#~",
];

function randomValue(setting: Setting, next: () => number): unknown {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  switch (setting.kind) {
    case "text":
      return pick(texts);
    case "integer": {
      const span = Math.floor((Math.min(setting.max, 1e6) - setting.min) / setting.step);
      const first = setting.min + ((((setting.base - setting.min) % setting.step) + setting.step) % setting.step);
      return Math.min(setting.max, first + Math.floor(next() * span) * setting.step);
    }
    case "real":
      return setting.min + next() * (setting.max - setting.min);
    case "boolean":
      return next() < 0.5;
    case "choice":
      return pick(setting.choices).id;
    case "resolution":
      return pick(["480p", "720p", "128x96", "1280x720"]);
    case "loras":
      return [
        {
          file: pick(["a.pth", "/m/b c.safetensors", "/m/warm, soft.pth", "night:0.5"]),
          strength: pick([Math.round(next() * 40) / 10 - 2, 1e-7]),
          expert: pick(["both", "high", "low"]),
        },
      ];
  }
}

describe("the line", () => {
  const base = resolveWith([], { prompt: "a ball" });
  const line = (settings: Settings, below: SettingSource[] = []) =>
    commandLine({
      libraryFolder: usualLibrary,
      model: { id: "demo" },
      settings,
      resolve: (flags) => resolveWith(below, { ...flags, prompt: settings.prompt }),
    });

  test("says nothing that would hold anyway", () => {
    expect(line(base)).toBe("./rushes generate 'a ball' --model demo");
    expect(line({ ...base, numSteps: 2, seed: 7, ode: true, quantLinear: "off" })).toBe(
      "./rushes generate 'a ball' --model demo --num-steps 2 --seed 7 --quant-linear=off --ode",
    );
  });
  test("takes back what a config file says", () => {
    const below: SettingSource[] = [{ kind: "config", origin: "c", values: { ode: true, threads: 3, seed: 5 } }];
    expect(line(base, below)).toBe("./rushes generate 'a ball' --model demo --seed random --ode=false --threads 0");
  });
  test("names a size once", () => {
    const large = resolveWith([], { prompt: "a ball", resolution: "720p" });
    expect(line(large)).toBe("./rushes generate 'a ball' --model demo --resolution 720p");
    expect(line(resolveWith([], { prompt: "a ball", resolution: "480p", aspectRatio: "1:1" }))).toBe(
      "./rushes generate 'a ball' --model demo --resolution 480p --aspect-ratio 1:1",
    );
    expect(line(resolveWith([], { prompt: "a ball", width: 256 }))).toBe(
      "./rushes generate 'a ball' --model demo --width 256",
    );
  });
  test("names files and the library", () => {
    const text = commandLine({
      libraryFolder: "/my library",
      model: { ditPath: "/m/a b.pth", vaePath: "/m/v.pth", textEncoderPath: "/m/t.pth" },
      settings: base,
      resolve: (flags) => resolveWith([], { ...flags, prompt: base.prompt }),
    });
    expect(text).toBe(
      "./rushes generate 'a ball' --library '/my library' --dit-path '/m/a b.pth' --vae-path /m/v.pth --text-encoder-path /m/t.pth",
    );
    expect(parsed(shellWords(text))).toMatchObject({ library: "/my library", dit: "/m/a b.pth" });
  });

  test("read by the real parser gives the same settings, whatever they are", () => {
    const next = numbers(20_261_121);
    for (let round = 0; round < 60; round++) {
      const below: SettingSource[] = [];
      const flags: Record<string, unknown> = { prompt: texts[round % texts.length] };
      for (const setting of allSettings) {
        if (["prompt", "model", "image", "mode", "codec"].includes(setting.id)) continue;
        if (next() < 0.25) flags[setting.id] = randomValue(setting, next);
        const config = next() < 0.1 && setting.absent === null && setting.kind !== "text";
        if (config) below.push({ kind: "config", origin: "c", values: { [setting.id]: randomValue(setting, next) } });
      }
      const wanted = resolveWith(below, flags as Partial<Settings>);
      const text = line(wanted, below);
      const { values, model } = parsed(shellWords(text));
      expect(model).toBe("demo");
      const { model: _model, ...given } = values;
      expect(differences(wanted, resolveWith(below, given)), text).toEqual([]);
    }
  });

  test("is one that the program itself accepts", async () => {
    const words = shellWords(line({ ...base, prompt: "--flag", numSteps: 2 }));
    expect(words).toEqual(["generate", "--prompt=--flag", "--model", "demo", "--num-steps", "2"]);
    const run = { version: "0", signal: AbortSignal.abort(), onOutput: () => undefined };
    await expect(runProgram([...normaliseArguments(words), "--no-such-flag"], run)).rejects.toMatchObject({
      code: "usage.invalid",
      message: expect.stringMatching(/no-such-flag/) as string,
    });
  });
});
