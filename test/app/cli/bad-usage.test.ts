// What is wrong before anything is accepted: exit code 2, one sentence and what to do, no stack trace, no library.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { open } from "../../../app/library/open.ts";
import { runRushes } from "./run-rushes.ts";

const folder = mkdtempSync(join(tmpdir(), "rushes-usage-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
const library = join(folder, "library");
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const ball = "a red ball";
const cases: [string, string[], RegExp][] = [
  ["no prompt", ["generate"], /^error \(usage\.invalid\): There is no prompt\./],
  ["an empty prompt", ["generate", ""], /^error \(settings\.invalid\): Prompt is empty\./],
  ["a blank --prompt", ["generate", "--prompt", "  "], /^error \(settings\.invalid\): Prompt is empty\./],
  [
    "10,000 characters",
    ["generate", "x".repeat(10_000)],
    /^error \(settings\.invalid\): Prompt has 10,000 characters; at most 4,000 are read\./,
  ],
  ["two prompts", ["generate", "a", "b"], /^error \(usage\.invalid\): There are 2 prompts/],
  [
    "a prompt twice",
    ["generate", ball, "--prompt", ball],
    /^error \(usage\.invalid\): The prompt is given more than once/,
  ],
  ["frames not 4n+1", ["generate", ball, "--num-frames", "16"], /Frames is 4n\+1, not 16\.\nUse 13 or 17\./],
  ["a size not in 16s", ["generate", ball, "--resolution", "130x128"], /Resolution .*not "130x128"\./],
  [
    "a width not in 16s",
    ["generate", ball, "--width", "130"],
    /Width is a multiple of 16, not 130\.\nUse 128 or 144\./,
  ],
  ["top-k 0", ["generate", ball, "--sla_topk", "0"], /SLA Top-K is a number from 0\.01 to 1, not 0\./],
  ["a negative sigma", ["generate", ball, "--sigma_max", "-80"], /Sigma Max is a number from 1 to 1600, not -80\./],
  ["too many steps", ["generate", ball, "--num_steps=5"], /Steps is a whole number from 1 to 4, not 5\./],
  ["a word for a number", ["generate", ball, "--seed", "lucky"], /Seed .*not "lucky"\./],
  ["an unknown attention", ["generate", ball, "--attention_type", "flash"], /Attention is one of/],
  [
    "an unknown flag",
    ["generate", ball, "--num_stepz", "4"],
    /Unknown option '--num-stepz'\.\nDid you mean --num-steps\?/,
  ],
  ["a flag without its value", ["generate", ball, "--seed"], /argument missing/],
  ["an unknown command", ["generrate", ball], /Unknown command 'generrate'\.\nDid you mean generate\?/],
  [
    "a preset nobody has",
    ["generate", ball, "--preset", "qualty"],
    /no preset called "qualty"\.\nDid you mean "quality"\?/,
  ],
  ["a config file that is not there", ["generate", ball, "--config", "none.yaml"], /none\.yaml does not exist\./],
  [
    "an unknown key in a config file",
    ["generate", ball, "--config", file("wrong.yaml", "model: {sla_tpk: 0.1}")],
    /^error \(settings\.unknown\): .*wrong\.yaml: there is no setting called "sla_tpk"\.\nDid you mean "slaTopk"\?/,
  ],
  [
    "a row that is wrong",
    ["generate", "--prompts-file", file("p.csv", "prompt,seed\na,-1\n")],
    /p\.csv line 2: Seed is/,
  ],
  [
    "a row with a model of its own",
    ["generate", "--prompts-file", file("m.csv", "prompt,model\na,other\n")],
    /m\.csv line 2: a row cannot have a model of its own\.\nGive it as a flag/,
  ],
  ["options and no command", ["--verbose"], /^error \(usage\.invalid\): There is no command\.\nTry: rushes generate/],
  ["an unlike flag", ["generate", "--steps", "4"], /Unknown option '--steps'\.\nRun `rushes generate --help`\./],
  ["no file to inspect", ["inspect"], /missing required argument 'files'\.\nRun `rushes inspect --help`/i],
  ["a job that is no number", ["decode", "last"], /"last" is not the number of a job\./],
  [
    "a folder to serve that is not there",
    ["serve", "--root", "nowhere"],
    /The folder nowhere does not exist\.\nCreate it, or name one that does\./,
  ],
  [
    "a token file that is not there",
    ["serve", "--token", "nowhere"],
    /The token file nowhere cannot be read\.\nName a text file with the token, or leave --token out to draw one\./,
  ],
  ["what no queue does", ["queue", "stop"], /"stop" is nothing a queue can do\./],
  ["a queue's word too many", ["queue", "pause", "3"], /"3" is one word too many\./],
  ["cancelling nothing", ["queue", "cancel"], /No job is named\./],
  ["cancelling what is no number", ["queue", "cancel", "1", "all"], /"all" is not the number of a job\./],
  ["a limit that is no number", ["history", "--limit", "many"], /--limit is a whole number from 1, not "many"\./],
];

describe("bad usage", () => {
  test.concurrent.each(cases)("%s", async (_what, words, expected) => {
    const { code, stdout, stderr } = await runRushes(words, { library });
    expect(stderr).toMatch(expected);
    expect(stderr).toMatch(/^error \([a-z]+\.[a-z_]+\): /);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
    expect(stdout).toBe("");
    expect(code).toBe(2);
    expect(existsSync(library)).toBe(false);
  });
  test.each(["", " "])("a library folder without a name (%j) is not the current one", async (name) => {
    const cwd = mkdtempSync(join(folder, "current-"));
    const { code, stderr } = await runRushes(["history", "--library", name], { library, cwd });
    expect(stderr).toBe(
      "error (usage.invalid): --library is empty.\nName a folder, or leave it out for the usual one.\n",
    );
    expect(code).toBe(2);
    expect(readdirSync(cwd)).toEqual([]);
    await expect(open("demo", {}, { library: name })).rejects.toMatchObject({ code: "usage.invalid" });
  });
  test("--json makes the error the one object on standard output", async () => {
    const { code, stdout, stderr } = await runRushes(["generate", ball, "--num-frames", "16", "--json"], { library });
    expect(JSON.parse(stdout)).toEqual({
      error: { code: "settings.invalid", sentence: "Frames is 4n+1, not 16.", advice: "Use 13 or 17.", detail: "" },
    });
    expect(stderr).toBe("");
    expect(code).toBe(2);
  });
});

describe("asking", () => {
  test("--help and --version succeed", async () => {
    const help = await runRushes(["--help"], { library });
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const command of ["generate", "history", "queue", "inspect", "doctor", "bench", "settings", "test", "decode"])
      expect(help.stdout).toContain(`  ${command} `);
    const version = await runRushes(["--version"], { library });
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
  });
  test("generate --help names every flag", async () => {
    const { stdout } = await runRushes(["generate", "--help"], { library });
    for (const flag of [
      "--num-steps",
      "--quant-linear",
      "--dit-path",
      "--config",
      "--prompts-file",
      "--negative-prompt",
    ])
      expect(stdout).toContain(flag);
  });
});
