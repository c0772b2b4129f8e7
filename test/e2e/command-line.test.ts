// The command line with a real model: what a person types, what comes out, and what is recorded. Runs the built program.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job } from "../../contract/job.ts";
import { soon } from "../app/engine/plumbing.ts";
import { projectRoot, type RunOptions, runRushes, startRushes } from "../app/cli/run-rushes.ts";

const folder = mkdtempSync(join(tmpdir(), "rushes-command-line-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
const demo = join(projectRoot, "models/demo");
const ball = "A red ball bounces on a blue background";
const small = ["--resolution", "64x64", "--num-frames", "5", "--num-steps", "1"];

interface VideoObject {
  id: number;
  state: string;
  path: string;
  copyPath: string | null;
  prompt: string;
  seed: number;
  width: number;
  height: number;
  frames: number;
  bytes: number;
  stages: { stage: string; seconds: number }[];
  int8: { layers: number; bytes16: number; bytes: number } | null;
  settings: Record<string, unknown>;
  warnings: string[];
  error: { code: string } | null;
}

/** A library of its own for one group of tests. */
function library(name: string): RunOptions {
  return { library: join(folder, name), built: true };
}

async function generated(words: readonly string[], options: RunOptions): Promise<VideoObject[]> {
  const { code, stdout, stderr } = await runRushes(["generate", ...words, "--json"], options);
  expect(stderr).toBe("");
  expect(code, stdout).toBe(0);
  return (JSON.parse(stdout) as { videos: VideoObject[] }).videos;
}

async function jobs(options: RunOptions, ...words: string[]): Promise<Job[]> {
  const { code, stdout } = await runRushes(["history", ...words, "--json"], options);
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { jobs: Job[] }).jobs;
}

describe("generate", () => {
  const options = library("generate");
  test("makes a video with nothing but a sentence", async () => {
    const { code, stdout, stderr } = await runRushes(["generate", ball, "--seed", "42"], options);
    expect(code, stderr).toBe(0);
    const [path = "", size = "", stages = ""] = stdout.trimEnd().split("\n");
    expect(statSync(path).size).toBeGreaterThan(1000);
    expect(path.startsWith(join(options.library, "videos"))).toBe(true);
    expect(size).toMatch(/^128x128, 17 frames, seed 42, [\d.]+ kB$/);
    expect(stages).toMatch(/reading the prompt .* s, .*sampling .* s, decoding .* s/);
    expect(stderr).toMatch(/^int8 on 80 linear layers, [\d.]+ MB -> [\d.]+ MB$/m);
    expect(stderr).toMatch(/^Sampling, step 4\/4$/m);
    expect(stderr).not.toContain("\r");
    expect(stderr).not.toContain("Int8 linear:");
  });
  test("--json is one object with everything that ran", async () => {
    const [video] = await generated([ball, "--seed", "42", "--quant-linear", ...small], options);
    expect(video).toMatchObject({
      state: "done",
      prompt: ball,
      seed: 42,
      width: 64,
      height: 64,
      frames: 5,
      settings: { quantLinear: "int8", numSteps: 1, attentionType: "sagesla", seed: 42 },
      error: null,
    });
    expect(video?.int8?.layers).toBe(80);
    expect(video?.stages.map(({ stage }) => stage)).toContain("sample");
  });
  test("draws one line over and over on a terminal", () => {
    const line = [process.execPath, join(projectRoot, "out/app/cli/main.js"), "generate", ball, ...small];
    const command = line.map((word) => `'${word}'`).join(" ");
    const { status, stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
      encoding: "utf8",
      env: { ...process.env, RUSHES_LIBRARY: options.library },
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(/\rSampling {2}step 1\/1 {2}\[[#-]{20}\] +\d+% {2}0:\d\d/);
    expect(stdout.replaceAll("\r\n", "\n").split("\n").length).toBeLessThan(8);
  });
  test("--verbose names every quantized layer", async () => {
    const { stderr } = await runRushes(["generate", ball, "--verbose", ...small], options);
    expect(stderr.match(/^Int8 linear: blocks\.\d+\.\S+ \[\d+x\d+\]$/gm)).toHaveLength(80);
  });
  test("says that settings of base models are not used, and records them", async () => {
    const words = ["generate", ball, ...small, "--negative_prompt", "blurry", "--guidance_scale", "5"];
    const { code, stderr } = await runRushes(words, options);
    expect(code).toBe(0);
    expect(stderr).toContain("Negative prompt (blurry) is not used by this model (Demo).");
    expect(stderr).toContain("Guidance scale (5) is not used by this model (Demo).");
    expect((await jobs(options))[0]?.settings).toMatchObject({ negativePrompt: "blurry", guidanceScale: 5 });
  });
  test("draws a seed, stores it, and the same seed makes the same file", async () => {
    const [first] = await generated([ball, ...small], options);
    const [again] = await generated([ball, ...small, "--seed", String(first?.seed)], options);
    expect(readFileSync(again?.path ?? "").length).toBe(readFileSync(first?.path ?? "").length);
    expect(again?.path).not.toBe(first?.path);
  });
  test("several samples count up from the seed, each with its own copy", async () => {
    const copy = join(folder, "copies/clip.mp4");
    const videos = await generated([ball, ...small, "-n", "2", "--seed", "7", "--save_path", copy], options);
    expect(videos.map(({ seed }) => seed)).toEqual([7, 8]);
    expect(readdirSync(join(folder, "copies")).sort()).toEqual(["clip-2.mp4", "clip.mp4"]);
  });
  test("a list of prompts is queued whole", async () => {
    const list = join(folder, "prompts.csv");
    writeFileSync(list, 'prompt,seed,ode\nthe moon rises,1,\n"a green square, still",2,on\n');
    const videos = await generated(["--prompts-file", list, ...small], options);
    expect(videos.map(({ prompt, seed, settings }) => [prompt, seed, settings["ode"]])).toEqual([
      ["the moon rises", 1, false],
      ["a green square, still", 2, true],
    ]);
  });
});

describe("TurboDiffusion's command", () => {
  const options = { ...library("turbo"), cwd: join(folder, "turbo-cwd") };
  beforeAll(() => {
    const checkpoints = join(options.cwd, "checkpoints");
    mkdirSync(checkpoints, { recursive: true });
    const names = [
      ["demo-t2v-quant.pth", "TurboWan2.1-T2V-1.3B-480P-quant.pth"],
      ["demo-vae.pth", "Wan2.1_VAE.pth"],
      ["demo-umt5.pth", "models_t5_umt5-xxl-enc-bf16.pth"],
      ["tokenizer.json", "tokenizer.json"],
      ["config.json", "config.json"],
    ] as const;
    for (const [from, to] of names) symlinkSync(join(demo, from), join(checkpoints, to));
  });
  // The words of its README, with a size that a CPU makes in seconds.
  const words = [
    ...["--model", "Wan2.1-1.3B", "--dit_path", "checkpoints/TurboWan2.1-T2V-1.3B-480P-quant.pth"],
    ...["--resolution", "480p", "--prompt", ball, "--num_samples", "1", "--num_steps", "4"],
    ...["--quant_linear", "--attention_type", "sagesla", "--sla_topk", "0.1"],
  ];
  test.each([
    ["with only the program's name changed", words],
    ["as rushes generate", ["generate", ...words]],
  ])("works %s", async (_how, line) => {
    const { code, stdout } = await runRushes(
      [...line, "--num_frames", "5", "--save_path", "output/", "--json"],
      options,
    );
    expect(code, stdout).toBe(0);
    const [video] = (JSON.parse(stdout) as { videos: VideoObject[] }).videos;
    expect(video).toMatchObject({ width: 832, height: 480, frames: 5 });
    expect(existsSync(video?.copyPath ?? "")).toBe(true);
    expect(video?.copyPath?.startsWith(join(options.cwd, "output"))).toBe(true);
  });
  test("its config file is read", async () => {
    const config = join(folder, "config.yaml");
    writeFileSync(config, "model:\n  quant_linear: true\n  attention_type: sla\n  sla_topk: 0.2\n");
    const [video] = await generated([ball, ...small, "--config", config, "--sla_topk", "0.3"], library("generate"));
    expect(video?.settings).toMatchObject({ quantLinear: "int8", attentionType: "sla", slaTopk: 0.3 });
  });
});

describe("settings", () => {
  test("prints each value with its source", async () => {
    const options = library("settings");
    mkdirSync(options.library);
    writeFileSync(join(options.library, "config.yaml"), "sla_topk: 0.2\nsigma_max: 100\nnum_steps: 1\n");
    const words = ["settings", "--preset", "quality", "--num-steps", "3"];
    const { stdout } = await runRushes([...words, "--json"], options);
    const { settings } = JSON.parse(stdout) as { settings: Record<string, { value: unknown; source: string }> };
    const shown = (id: string) => [settings[id]?.value, settings[id]?.source];
    expect(shown("numSteps")).toEqual([3, "flag"]);
    expect(shown("slaTopk")).toEqual([0.15, "preset"]);
    expect(shown("numFrames")).toEqual([17, "model"]);
    expect(shown("width")).toEqual([128, "model"]);
    expect(shown("ode")).toEqual([false, "default"]);
    const table = await runRushes(words, options);
    expect(table.stdout).toMatch(/^slaTopk +0\.15 +preset \(quality\)$/m);
    expect(table.stdout).toMatch(/^numFrames +17 +model \(Demo\)$/m);
  });
});

describe("history", () => {
  const options = library("history");
  test("lists and searches, in less than half a second where the shortest command takes 0.055 s", async () => {
    await generated(["a yellow star spins", ...small], options);
    const listed: number[] = [];
    const shortest: number[] = [];
    const times = () => Math.min(...listed) / Math.min(...shortest);
    // The best of some, and of more on a busy machine: what other programs do meanwhile is not the question. Nor is how
    // quickly the machine starts a program at all.
    for (let round = 0; round < 5 || (round < 30 && times() >= 9); round++) {
      const { code, stdout, seconds } = await runRushes(["history"], options);
      expect(code).toBe(0);
      expect(stdout).toMatch(/done .* a yellow star spins .*\.mp4$/m);
      listed.push(seconds);
      shortest.push((await runRushes(["--version"], options)).seconds);
    }
    expect(times()).toBeLessThan(9);
    expect((await jobs(options, "yellow")).map(({ prompt }) => prompt)).toEqual(["a yellow star spins"]);
    expect(await jobs(options, "purple")).toEqual([]);
  });
  test("decode makes the video of a job again", async () => {
    const [first] = await jobs(options);
    const { code, stdout } = await runRushes(["decode", String(first?.id), "--json"], options);
    expect(code, stdout).toBe(0);
    const [video] = (JSON.parse(stdout) as { videos: VideoObject[] }).videos;
    expect(existsSync(video?.path ?? "")).toBe(true);
    expect(video?.path).not.toBe(first?.video?.path);
    expect((await runRushes(["decode", "9999"], options)).stderr).toMatch(/^error \(job\.unknown\)/);
  });
});

describe("inspect", () => {
  const options = library("inspect");
  test("says what each file is", async () => {
    const files = ["demo-t2v-quant.pth", "demo-vae.pth", "demo-umt5.pth"].map((name) => join(demo, name));
    const { code, stdout } = await runRushes(["inspect", ...files], options);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Quantization +int8/);
    expect(stdout).toMatch(/SLA weights +yes/);
  });
  test("one bad file does not hide the others", async () => {
    const words = ["inspect", join(folder, "none.pth"), join(demo, "demo-vae.pth"), "--json"];
    const { code, stdout } = await runRushes(words, options);
    expect(code).toBe(1);
    const { files } = JSON.parse(stdout) as { files: { error?: { code: string }; family?: string }[] };
    expect(files.map(({ error }) => error?.code)).toEqual(["checkpoint.missing", undefined]);
  });
});

describe("doctor", () => {
  const options = library("doctor");
  test("finds everything in order", async () => {
    const { code, stdout } = await runRushes(["doctor"], options);
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/^green {2}CPU /m);
    expect(stdout).toMatch(/^green {2}GPU +\S/m);
    expect(stdout).toMatch(/^Kernels: \d+ cases green, 0 red\.$/m);
  });
  test("a wrong kernel turns red", async () => {
    const { stdout } = await runRushes(["doctor", "--json"], options);
    const report = JSON.parse(stdout) as { ok: boolean; selfTest: { checks: { name: string }[] } };
    expect(report.ok).toBe(true);
    const name = report.selfTest.checks.at(-1)?.name ?? "";
    const wrong = await runRushes(["doctor"], { ...options, environment: { RUSHES_WRONG_KERNEL: name } });
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toMatch(new RegExp(`^red +${name} `, "m"));
    expect(wrong.stdout).toMatch(/^Something is wrong/m);
  });
});

describe("Ctrl+C", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("%s cancels within a second", async (signal) => {
    const options = library(`cancel-${signal}`);
    const words = ["generate", ball, "--resolution", "480p", "--num-frames", "81"];
    const { child, finished } = startRushes(words, options);
    await new Promise<void>((resolve) => {
      child.stderr.on("data", (text: Buffer) => {
        if (text.toString().includes("Sampling, step 1")) resolve();
      });
    });
    const pressed = performance.now();
    child.kill(signal);
    const { code, stderr, stdout } = await finished;
    expect(performance.now() - pressed).toBeLessThan(soon);
    expect(code).toBe(130);
    expect(stderr).toMatch(/error \(job\.cancelled\)/);
    expect(stdout).toBe("");
    expect((await jobs(options)).map(({ state }) => state)).toEqual(["cancelled"]);
    expect(existsSync(join(options.library, "videos")) ? readdirSync(join(options.library, "videos")) : []).toEqual([]);
  });
});

describe("Ctrl+C twice on a list", () => {
  test("leaves none of its prompts in the queue", async () => {
    const options = library("cancel-list");
    const list = join(options.library, "..", "cancel-list.txt");
    writeFileSync(list, Array.from({ length: 30 }, (_, index) => `A red ball bounces ${index}`).join("\n"));
    const words = ["generate", "--prompts-file", list, "--resolution", "480p", "--num-frames", "81"];
    const { child, finished } = startRushes(words, options);
    await new Promise<void>((resolve) => {
      child.stderr.on("data", (text: Buffer) => {
        if (text.toString().includes("Sampling, step 1")) resolve();
      });
    });
    child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGINT");
    await finished;
    const states = (await jobs(options)).map(({ state }) => state);
    expect(states).toHaveLength(30);
    expect(states.filter((state) => state === "queued")).toEqual([]);
  });
});

describe("bench", () => {
  test("prints shares of this machine's ceilings, or one object", async () => {
    const options = library("bench");
    const words = ["bench", "--quick", "--filter", "int8"];
    const table = await runRushes(words, options);
    expect(table.code, table.stderr).toBe(0);
    expect(table.stdout).toMatch(/^ceiling int8 .*%/m);
    expect(table.stdout).toMatch(/^int8 linear .*%/m);
    const { code, stdout } = await runRushes([...words, "--json"], options);
    expect(code).toBe(0);
    expect(typeof JSON.parse(stdout)).toBe("object");
  });
  test("times a whole clip of a reduced model of the real widths, stage by stage", async () => {
    const options = library("bench-end-to-end");
    const words = ["bench", "--end-to-end", "--layers", "1", "--resolution", "64x64", "--num-frames", "5"];
    const table = await runRushes(words, options);
    expect(table.code, table.stderr).toBe(0);
    expect(table.stdout).toMatch(/^writing .*dit-1\.3b-int8-1\.safetensors/m);
    expect(table.stdout).toContain("The transformer has 1 of 30 layers.");
    for (const stage of ["text", "load", "sample", "decode", "all"])
      expect(table.stdout).toMatch(new RegExp(`^${stage} +[\\d.]+ s .*floor.*planned.*peak`, "m"));

    const { code, stdout, stderr } = await runRushes([...words, "--json"], options);
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout) as {
      layers: number;
      textLayers: number;
      clip: Record<string, number>;
      notes: string[];
      stages: Record<string, number | string | boolean>[];
      sum: Record<string, number>;
    };
    expect(report).toMatchObject({ layers: 1, textLayers: 1, clip: { width: 64, height: 64, frames: 5, steps: 4 } });
    expect(report.notes).toHaveLength(2);
    expect(report.stages.map(({ stage }) => stage)).toEqual(["text", "load", "sample", "decode"]);
    for (const stage of report.stages)
      for (const key of [
        "seconds",
        "processorSeconds",
        "floorSeconds",
        "plannedSeconds",
        "peakBytes",
        "plannedPeakBytes",
      ])
        expect(stage[key], `${String(stage["stage"])} ${key}`).toBeGreaterThan(0);
    // The plan's bytes hold for the widths of 1.3B too.
    for (const { stage, peakBytes, plannedPeakBytes } of report.stages)
      expect(Math.abs(Number(plannedPeakBytes) / Number(peakBytes) - 1), String(stage)).toBeLessThan(0.05);
    expect(report.sum["floorSeconds"]).toBeCloseTo(
      report.stages.reduce((sum, stage) => sum + Number(stage["floorSeconds"]), 0),
      6,
    );
  });
  test("says what --end-to-end can leave out, and refuses what belongs to it alone", async () => {
    const options = library("bench-help");
    const help = await runRushes(["bench", "--help"], options);
    expect(help.code).toBe(0);
    for (const flag of ["--end-to-end", "--layers", "--resolution", "--num-frames", "--quick", "--filter", "--threads"])
      expect(help.stdout).toContain(flag);
    for (const words of [
      ["--layers", "1"],
      ["--frames", "5"],
      ["--end-to-end", "--size", "wide"],
      ["--end-to-end", "--layers", "some"],
    ]) {
      const refused = await runRushes(["bench", ...words], options);
      expect(refused.code, words.join(" ")).toBe(2);
      expect(refused.stderr).not.toBe("");
    }
    // By their other names, which every command takes.
    const tooMany = await runRushes(["bench", "--end-to-end", "--layers", "31", "--size", "64x64"], options);
    expect(tooMany.code).not.toBe(0);
    expect(tooMany.stderr).toContain("layers");
  });
});

describe("a job that fails", () => {
  test("leaves exit code 1, a row that says why, and no video", async () => {
    const options = library("fails");
    // Weights that are all NaN: every header is right, so only running finds out.
    const dit = join(folder, "nan.pth");
    const bytes = readFileSync(join(demo, "demo-t2v.pth"));
    const length = 100_000;
    let at = Math.floor(bytes.length / 3);
    while (bytes.subarray(at - 100, at + length).includes("PK")) at += length / 4; // not across an entry's end
    bytes.fill(0xff, at, at + length);
    writeFileSync(dit, bytes);
    const rest = ["--vae_path", join(demo, "demo-vae.pth"), "--text_encoder_path", join(demo, "demo-umt5.pth")];
    const words = ["generate", ball, "--resolution", "64x64", "--num-frames", "5", "--dit_path", dit, ...rest];
    const { code, stdout, stderr } = await runRushes(words, options);
    expect(code, stderr).toBe(1);
    expect(stdout).toBe("");
    const reported = /^error \(((?:output|checkpoint)\.\w+)\): /m.exec(stderr)?.[1];
    expect(reported, stderr).toBeDefined();
    expect(stderr).not.toMatch(/\n\s+at /);
    const [job, ...others] = await jobs(options);
    expect(others).toEqual([]);
    expect(job).toMatchObject({ state: "failed", error: { code: reported }, video: null });
    expect(readdirSync(join(options.library, "videos"))).toEqual([]);
    expect((await runRushes(["history"], options)).stdout).toContain(reported);
    const object = JSON.parse((await runRushes([...words, "--json"], options)).stdout) as { state: string };
    expect(object).toMatchObject({
      state: "failed",
      videos: [{ state: "failed", path: null, error: { code: reported } }],
    });
  });
  test("a memory budget that nothing fits in says what is needed", async () => {
    const options = library("memory");
    const words = ["generate", ball, "--memory-budget", "0.01"];
    const { code, stdout, stderr } = await runRushes(words, options);
    expect(stderr).toMatch(/^error \(memory\.exhausted\): /m);
    expect(stderr).toMatch(/\d/);
    expect(stdout).toBe("");
    expect([1, 2]).toContain(code);
    expect((await jobs(options)).map(({ state }) => state)).toEqual(code === 1 ? ["failed"] : []);
  });
});

describe("bad models and outputs, refused before acceptance", () => {
  const options = library("bad");
  const bad = join(folder, "bad-models");
  const part = (name: string, bytes: number) => {
    const path = join(bad, name);
    copyFileSync(join(demo, "demo-t2v.pth"), path);
    truncateSync(path, bytes);
    return path;
  };
  beforeAll(() => {
    mkdirSync(bad, { recursive: true });
    writeFileSync(join(bad, "text.pth"), "not a checkpoint");
    mkdirSync(join(bad, "folder.pth"));
  });
  const rest = (name: string) => [
    ...["--vae_path", join(demo, "demo-vae.pth"), "--text_encoder_path", join(demo, "demo-umt5.pth")],
    ...["--dit_path", name],
  ];
  test.each<[string, () => string[], RegExp]>([
    ["an unknown model", () => ["--model", "nothing"], /model\.unknown/],
    ["a missing file", () => rest(join(bad, "none.pth")), /checkpoint\.missing.*none\.pth/],
    ["a folder", () => rest(join(bad, "folder.pth")), /checkpoint\.\w+.*folder/],
    ["a truncated file", () => rest(part("half.pth", 5_000_000)), /checkpoint\.corrupt/],
    ["a file that is none", () => rest(join(bad, "text.pth")), /checkpoint\.(corrupt|unsupported)/],
    ["another architecture", () => rest(join(demo, "demo-vae.pth")), /checkpoint\.unsupported/],
    [
      "quantization off with int8 weights",
      () => [...rest(join(demo, "demo-t2v-quant.pth")), "--quant-linear=off"],
      /./,
    ],
    ["an output that cannot be written", () => ["--save_path", join(bad, "text.pth/clip.mp4")], /file\.unwritable/],
  ])("%s", async (_what, words, expected) => {
    const { code, stdout, stderr } = await runRushes(["generate", ball, ...small, ...words()], options);
    expect(stderr).toMatch(expected);
    expect(stderr).toMatch(/^error \([a-z]+\.[a-z_]+\): /m);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe("");
    expect(code, stderr).toBe(2);
    expect(await jobs(options)).toEqual([]);
  });
});
