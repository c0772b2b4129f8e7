// What a suite is, how it is run, and how a program is run for one: output into a log, a time limit, never a question.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");
export const logFolder = join(root, ".cache/logs");

/** Counts of test cases. `notes` are shown under the suite's line: names of failures, reasons of skips. */
export interface Result {
  passed: number;
  failed: number;
  skipped: number;
  notes: string[];
}

export interface Suite {
  name: string;
  /** Part of --quick. */
  quick: boolean;
  /** What is missing here that the suite cannot do without, or null: it then counts as one skipped case. */
  missing?(): string | null;
  run(): Promise<Result>;
}

export interface Finished {
  /** The exit code; a signal or a time-out is 1. */
  code: number;
  /** Standard output and error as they came. */
  output: string;
  timedOut: boolean;
}

export interface ProgramOptions {
  /** Names the log file. */
  log: string;
  minutes?: number;
  env?: Record<string, string>;
}

/** Programs at work; ending the run ends them too. */
const running = new Set<number>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const group of running) process.kill(-group, "SIGKILL");
    process.exit(130);
  });
}

/** Runs a program in the project's root with nothing on its standard input. */
export function runProgram(program: string, args: readonly string[], options: ProgramOptions): Promise<Finished> {
  const { log, minutes = 20, env = {} } = options;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const path = [join(root, "node_modules/.bin"), process.env.PATH].join(":");
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", ...env, PATH: path },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that a time-out also ends what the program started.
      detached: true,
    });
    if (child.pid) running.add(child.pid);
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      if (child.pid) process.kill(-child.pid, "SIGKILL");
    }, minutes * 60_000);
    const keep = (chunk: Buffer) => void chunks.push(chunk);
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const finish = (code: number) => {
      clearTimeout(limit);
      if (child.pid) running.delete(child.pid);
      const output = Buffer.concat(chunks).toString("utf8");
      mkdirSync(logFolder, { recursive: true });
      writeFileSync(join(logFolder, `test-${log}.log`), `${program} ${args.join(" ")}\n${output}`);
      resolve({ code, output, timedOut });
    };
    child.on("error", (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      finish(1);
    });
    child.on("close", (code) => finish(code ?? 1));
  });
}

/** The end of a program's output, for people. */
export function tail(output: string, lines = 30): string {
  return output.trimEnd().split("\n").slice(-lines).join("\n");
}

/** The exit code of a program that could not do its work here; a line of its output then says why. */
const skipCode = 77;
/** How such a line begins, and the note made of it. */
const skipStart = "skipped: ";

/** One program that passes, fails or is skipped as one case. */
export async function oneCase(
  name: string,
  program: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<Result> {
  const { code, output, timedOut } = await runProgram(program, args, options);
  if (code === 0) return { passed: 1, failed: 0, skipped: 0, notes: [] };
  const reason = output.split("\n").find((line) => line.startsWith(skipStart));
  if (code === skipCode && reason !== undefined) return skip(reason.slice(skipStart.length));
  return failure(timedOut ? `${name}: took too long` : `${name}\n${tail(output)}`);
}

/** Runs a suite unless it lacks something. One that ran nothing and tells no reason has failed. */
export async function runSuite(suite: Suite): Promise<Result> {
  const missing = suite.missing?.() ?? null;
  if (missing !== null) return skip(missing);
  let result: Result;
  try {
    result = await suite.run();
  } catch (error) {
    result = failure(`${suite.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  const { passed, failed, notes } = result;
  const isIdle = passed + failed === 0 && !notes.some((note) => note.startsWith(skipStart));
  return isIdle ? sum([result, failure(`${suite.name}: no test ran`)]) : result;
}

function skip(reason: string): Result {
  return { passed: 0, failed: 0, skipped: 1, notes: [`${skipStart}${reason}`] };
}

export function failure(note: string): Result {
  return { passed: 0, failed: 1, skipped: 0, notes: [note] };
}

export function sum(results: readonly Result[]): Result {
  const add = (key: "passed" | "failed" | "skipped") => results.reduce((total, one) => total + one[key], 0);
  return {
    passed: add("passed"),
    failed: add("failed"),
    skipped: add("skipped"),
    notes: results.flatMap(({ notes }) => notes),
  };
}
