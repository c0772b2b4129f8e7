// Config files, presets and prompt lists: what they may look like, and the sentence each mistake gets.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectSources, modelChoice } from "../../../app/settings/collect.ts";
import { readConfig, readConfigFile } from "../../../app/settings/config-file.ts";
import { readPreset } from "../../../app/settings/presets.ts";
import { readPromptsFile } from "../../../app/settings/prompts-file.ts";
import { RushesError } from "../../../contract/errors.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-settings-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function failure(run: () => unknown): RushesError {
  try {
    run();
  } catch (error) {
    if (error instanceof RushesError) return error;
  }
  throw new Error("It was accepted, or failed with another error.");
}

describe("config files", () => {
  test("TurboDiffusion's form", () => {
    const text =
      "model:\n  quant_linear: true\n  attention_type: sagesla\n  sla_topk: 0.15\n  dit_path: a.pth\nseed: 4\n";
    expect(readConfig(text, "config.yaml")).toEqual({
      values: { quantLinear: "int8", attentionType: "sagesla", slaTopk: 0.15, seed: 4 },
      files: { ditPath: "a.pth" },
    });
  });
  test("our ids, kebab-case, underscores and a model's name", () => {
    const text = "model: demo\nnumFrames: 17\nnum-steps: 2\nsigma_max: 90\node: yes\nsave_path: out.mp4\n";
    expect(readConfig(text, "c")).toEqual({
      values: { model: "demo", numFrames: 17, numSteps: 2, sigmaMax: 90, ode: true },
      files: {},
      savePath: "out.mp4",
    });
    expect(readConfig("model: {name: demo, sla_topk: 0.2}", "c").values).toEqual({ model: "demo", slaTopk: 0.2 });
    expect(readConfig("", "c")).toEqual({ values: {}, files: {} });
  });
  test.each([
    ["numStepz: 3", "settings.unknown", 'c: there is no setting called "numStepz".', 'Did you mean "numSteps"?'],
    ["model: {colour: red}", "settings.unknown", 'c: there is no setting called "colour".', /rushes settings/],
    ["numSteps: many", "settings.invalid", 'c: Steps is a whole number from 1 to 4, not "many".', /from 1 to 4/],
    ["- a\n- b", "settings.unreadable", "c is not a list of settings with values.", /name: value/],
    ["a: [", "settings.unreadable", "c is not YAML.", /./],
  ])("%j", (text, code, sentence, advice) => {
    const error = failure(() => readConfig(text, "c"));
    expect([error.code, error.message]).toEqual([code, sentence]);
    expect(error.advice).toMatch(advice);
  });
  test("files that are not there, or not files", () => {
    expect(failure(() => readConfigFile(join(folder, "none.yaml"))).message).toMatch(/none\.yaml does not exist\.$/);
    expect(failure(() => readConfigFile(folder)).message).toMatch(/is a folder, not a file\.$/);
  });
});

describe("presets", () => {
  test("built-in ones by id or label", () => {
    expect(readPreset("quality", folder).values).toEqual({ slaTopk: 0.15, sigmaMax: 90 });
    expect(readPreset("Draft", folder).values).toEqual({ numSteps: 2, numFrames: 49 });
  });
  test("one's own, in the library, before a built-in one of that name", () => {
    mkdirSync(join(folder, "presets"), { recursive: true });
    file("presets/quality.json", JSON.stringify({ name: "Mine", catalogueVersion: 1, settings: { slaTopk: 0.3 } }));
    expect(readPreset("quality", folder).values).toEqual({ slaTopk: 0.3 });
    rmSync(join(folder, "presets"), { recursive: true });
  });
  test("any file, TurboDiffusion's included", () => {
    expect(readPreset(file("p.yaml", "model: {sla_topk: 0.2}"), folder).values).toEqual({ slaTopk: 0.2 });
  });
  test("a path is that file and nothing else; a bare name is the library's first", () => {
    const library = join(folder, "library");
    const preset = (path: string, slaTopk: number, name = "") => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify({ name, catalogueVersion: 1, settings: { slaTopk } }));
      return path;
    };
    preset(join(library, "presets", "film.json"), 0.3, "Night 16/9");
    const backup = preset(join(folder, "backup", "film.json"), 0.2);
    expect(readPreset(backup, library).values).toEqual({ slaTopk: 0.2 });
    expect(failure(() => readPreset(join(folder, "gone", "film.json"), library)).message).toMatch(/does not exist/);
    const here = process.cwd();
    try {
      process.chdir(dirname(backup));
      expect(readPreset("./film.json", library).values).toEqual({ slaTopk: 0.2 });
      for (const name of ["film", "film.json", "night 16/9"])
        expect(readPreset(name, library).values.slaTopk).toBe(0.3);
      // Neither a folder nor a file of its name hides a preset.
      mkdirSync("draft");
      preset("quality", 0.1);
      expect(readPreset("draft", library).values).toEqual({ numSteps: 2, numFrames: 49 });
      expect(readPreset("quality", library).values).toEqual({ slaTopk: 0.15, sigmaMax: 90 });
      preset("own.json", 0.25);
      expect(readPreset("own.json", library).values).toEqual({ slaTopk: 0.25 });
      expect(failure(() => readPreset("./draft", library)).message).toMatch(/is a folder, not a file/);
      mkdirSync("drafts");
      expect(failure(() => readPreset("drafts", library)).advice).toBe('Did you mean "draft"?');
    } finally {
      process.chdir(here);
    }
  });
  test("mistakes", () => {
    expect(failure(() => readPreset("qualitty", folder)).advice).toBe('Did you mean "quality"?');
    expect(failure(() => readPreset("q".repeat(300), folder)).message).toMatch(/^There is no preset called/);
    expect(failure(() => readPreset(`./${"q".repeat(300)}`, folder)).message).toMatch(/cannot be read/);
    const newer = file("newer.json", JSON.stringify({ catalogueVersion: 99, settings: {} }));
    expect(failure(() => readPreset(newer, folder)).message).toMatch(/is not a preset of this version/);
    expect(failure(() => readPreset(file("bad.json", "{"), folder)).message).toMatch(/is not JSON/);
  });
});

describe("prompt lists", () => {
  test("text: a prompt a line, in whatever line ends and with a byte order mark", () => {
    const path = file("p.txt", "\uFEFFa red ball\r\n\r\n  云在山上飘  \n");
    expect(readPromptsFile(path).map(({ prompt, origin }) => [prompt, origin.slice(-6)])).toEqual([
      ["a red ball", "line 1"],
      ["云在山上飘", "line 3"],
    ]);
  });
  test("csv: a column prompt and columns of settings; empty cells say nothing", () => {
    const path = file("p.csv", 'prompt,seed,num_frames,save_path\n"a ball, red",7,17,\nthe moon,,,moon.mp4\n');
    const [ball, moon] = readPromptsFile(path);
    expect(ball).toMatchObject({ prompt: "a ball, red", values: { seed: 7, numFrames: 17 } });
    expect(moon).toMatchObject({ prompt: "the moon", values: {}, savePath: "moon.mp4" });
  });
  test("csv: as spreadsheets of other countries write it", () => {
    for (const sign of [";", "\t"]) {
      const [row] = readPromptsFile(file("p.csv", `Prompt${sign}seed\n"a ball, red"${sign}7\n`));
      expect(row).toMatchObject({ prompt: "a ball, red", values: { seed: 7 } });
    }
  });
  test("jsonl: a text or an object on each line", () => {
    const path = file("p.jsonl", '"a ball"\n\n{"prompt": "a sun", "seed": 3}\n');
    const [ball, sun] = readPromptsFile(path);
    expect(ball).toMatchObject({ prompt: "a ball", origin: `${path} line 1` });
    expect(sun).toMatchObject({ prompt: "a sun", values: { seed: 3 }, origin: `${path} line 3` });
  });
  test("json: texts and objects", () => {
    const path = file("p.json", JSON.stringify(["a ball", { prompt: "a sun", seed: 3, quant_linear: true }]));
    expect(readPromptsFile(path)).toMatchObject([
      { prompt: "a ball", values: {} },
      { prompt: "a sun", values: { seed: 3, quantLinear: "int8" } },
    ]);
  });
  test.each([
    ["empty.txt", "\n\n", "has no prompts in it."],
    ["list.yaml", "- prompt: a ball\n", "is no list of prompts that Rushes reads."],
    ["column.csv", "text\na ball\n", "line 2 has no prompt."],
    ["blank.csv", "prompt,seed\n,3\n", "line 2: Prompt is empty."],
    ["unknown.csv", "prompt,sede\na ball,3\n", 'line 2: there is no setting called "sede".'],
    ["broken.csv", 'prompt\n"a ball\n', "line 2 has a double quote that is never closed."],
    ["quote.csv", 'prompt\na ball\n"she said "hi""\n', "line 3 has a double quote where none can be."],
    [
      "comma.csv",
      "prompt,seed\na ball,3\na ball, red,4\n",
      "line 3 has more or fewer values than the table has columns.",
    ],
    ["line.jsonl", '"a ball"\n{"prompt": \n', "line 2 is not JSON."],
    [
      "value.jsonl",
      '{"prompt": "a", "seed": -1}\n',
      "line 1: Seed is a whole number from 0 to 9007199254740991, not -1.",
    ],
    ["object.json", "{}", "is not a list."],
    ["number.json", "[1]", "item 1 is neither a text nor an object."],
    ["long.json", JSON.stringify(["x".repeat(5000)]), "item 1: Prompt has 5,000 characters; at most 4,000 are read."],
    ["value.csv", "prompt,num_steps\na,9\n", "line 2: Steps is a whole number from 1 to 4, not 9."],
  ])("%s", (name, text, ending) => {
    const { message } = failure(() => readPromptsFile(file(name, text)));
    expect(message.endsWith(ending), message).toBe(true);
  });
  test("as spreadsheets write it that do not write UTF-8", () => {
    // 球 as GBK has it.
    const path = file(
      "gbk.csv",
      Buffer.concat([Buffer.from("prompt,seed\n"), Buffer.of(0xc7, 0xf2), Buffer.from(",7\n")]),
    );
    const { code, message, advice } = failure(() => readPromptsFile(path));
    expect([code, message]).toEqual(["settings.unreadable", `${path} is not UTF-8 text.`]);
    expect(advice).toMatch(/"CSV UTF-8"/);
  });
  test("whose letters another program has lost already", () => {
    const path = file("lost.csv", "prompt,seed\na ball,7\n\uFFFD\uFFFD,7\n");
    expect(failure(() => readPromptsFile(path)).message).toBe(
      `${path} line 3 has letters that were lost (\uFFFD): the list was not UTF-8 text.`,
    );
  });
});

describe("sources together", () => {
  const flags = { values: { model: "Wan2.1-1.3B" }, files: { ditPath: "dit.pth" } };
  test("the library's config.yaml is read unless another is named", async () => {
    file("config.yaml", "numSteps: 3\nvae_path: library.pth\nmodel: demo\n");
    const other = file("other.yaml", "numSteps: 2\n");
    const options = { libraryFolder: folder, preset: "draft", flags };
    const own = await collectSources(options);
    expect(own.sources.map(({ kind, values }) => [kind, values.numSteps])).toEqual([
      ["config", 3],
      ["preset", 2],
      ["flag", undefined],
    ]);
    expect(own.choice).toMatchObject({ name: "Wan2.1-1.3B", ditPath: "dit.pth", vaePath: "library.pth" });
    const named = await collectSources({ ...options, configFile: other });
    expect(named.sources[0]).toMatchObject({ kind: "config", origin: other, values: { numSteps: 2 } });
    expect((await collectSources({ ...options, configFile: null })).sources).toHaveLength(2);
    rmSync(join(folder, "config.yaml"));
  });
  test("a TurboDiffusion name brings the places of its other files", () => {
    expect(modelChoice("Wan2.1-14B", { ditPath: "d.pth", vaePath: "v.pth" })).toEqual({
      name: "Wan2.1-14B",
      ditPath: "d.pth",
      vaePath: "v.pth",
      textEncoderPath: "checkpoints/models_t5_umt5-xxl-enc-bf16.pth",
    });
    expect(modelChoice("demo", {})).toEqual({ name: "demo" });
    expect(modelChoice("auto", {})).toEqual({});
    expect(modelChoice(undefined, { ditPath: "d.pth" })).toEqual({ ditPath: "d.pth" });
  });
});
