// The suites about C++: the engine's own tests, its golden cases, both again under AddressSanitizer and
// UndefinedBehaviorSanitizer, and the fuzz targets of what reads files and clips.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { failure, type Result, root, runProgram, type Suite, sum, tail } from "./suite.ts";

export const nativeSuites: readonly Suite[] = [
  { name: "native", quick: true, run: () => withBuild(release, () => doctest(release, [])) },
  { name: "golden", quick: true, run: () => withBuild(release, () => golden(release, goldenFolders())) },
  { name: "sanitize", quick: false, run: () => withBuild(sanitized, sanitize) },
  { name: "fuzz", quick: false, run: () => withBuild(fuzzed, fuzz) },
];

interface Build {
  folder: string;
  options: readonly string[];
  targets: readonly string[];
}

const release: Build = { folder: "build-tests", options: ["-DRUSHES_CUDA=EMULATED"], targets: ["engine_tests"] };
const sanitized: Build = {
  folder: "build-sanitize",
  options: ["-DRUSHES_CUDA=EMULATED", "-DRUSHES_SANITIZE=ON"],
  targets: ["engine_tests"],
};
const fuzzed: Build = {
  folder: "build-fuzz",
  options: ["-DCMAKE_CXX_COMPILER=clang++", "-DRUSHES_FUZZ=ON"],
  targets: fuzzTargets(),
};

/** Seconds each fuzz target runs. */
const fuzzSeconds = 60;
/** The clip decoder is the system's and learns nothing from how inputs ran in it, so it gets less time, and the same inputs
 * at every run: what a chance find in that library would tell is nothing about a change of ours. */
const clipFuzz = { target: "clip_fuzz", seconds: 30, seed: 1 };

async function withBuild(build: Build, run: () => Promise<Result>): Promise<Result> {
  const { folder, options, targets } = build;
  const jobs = String(availableParallelism());
  const steps: [string, string[]][] = [
    ["cmake", ["-S", ".", "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", ...options]],
    ["ninja", ["-C", folder, "-j", jobs, ...targets]],
  ];
  for (const [program, args] of steps) {
    const env = { CCACHE_BASEDIR: root };
    const { code, output } = await runProgram(program, args, { log: `${folder}-${program}`, minutes: 30, env });
    if (code !== 0) return failure(`${folder} does not build\n${tail(output, 40)}`);
  }
  return run();
}

async function doctest({ folder }: Build, args: readonly string[]): Promise<Result> {
  const log = `${folder}-doctest`;
  const { code, output, timedOut } = await runProgram(join(root, folder, "engine_tests"), args, {
    log,
    minutes: hangs,
    env: quietExit,
  });
  const counts = /test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped/.exec(output);
  if (!counts || timedOut) return failure(`${folder}: engine_tests ended early (${code})\n${tail(output)}`);
  const [passed, failed, skipped] = counts.slice(1).map(Number) as [number, number, number];
  const result = { passed, failed, skipped, notes: failed ? [...failures(output), tail(output, 10)] : [] };
  return code !== 0 && failed === 0 ? sum([result, failure(`${folder}: exit code ${code}\n${tail(output)}`)]) : result;
}

/** What doctest said of the cases that failed; it also has sections of those that only had something to tell. */
function failures(output: string): string[] {
  const sections = output.split(/^={20,}$/m);
  return sections.filter((section) => /\bERROR: /.test(section)).map((section) => section.trim());
}

async function golden({ folder }: Build, cases: readonly string[]): Promise<Result> {
  const log = `${folder}-golden`;
  const args = ["golden", ...cases];
  const { code, output, timedOut } = await runProgram(join(root, folder, "engine_tests"), args, {
    log,
    minutes: hangs,
    env: quietExit,
  });
  const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(tail(output, 1));
  if (!counts || timedOut) return failure(`${folder}: the golden cases ended early (${code})\n${tail(output)}`);
  const [passed, failed, skipped] = counts.slice(1).map(Number) as [number, number, number];
  const notes = output.split("\n").filter((line) => line.startsWith("FAILED") || /\bskipped: /.test(line));
  const result = { passed, failed, skipped, notes };
  return code !== 0 && failed === 0 ? sum([result, failure(`${folder}: exit code ${code}\n${tail(output)}`)]) : result;
}

/** Under the sanitizers everything is some ten times slower: of the golden cases one of each kind runs there. */
async function sanitize(): Promise<Result> {
  return sum([await doctest(sanitized, []), await golden(sanitized, oneGoldenCaseOfEachKind())]);
}

/** Minutes after which the engine's tests hang rather than being slow; under the sanitizers they take ten on two cores. */
const hangs = 50;

/** OpenMP's own start-up memory is not ours to free. */
const quietExit = { ASAN_OPTIONS: "detect_leaks=0", UBSAN_OPTIONS: "print_stacktrace=1" };

function goldenFolders(): string[] {
  const folder = join(root, "test/golden");
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .sort();
}

function oneGoldenCaseOfEachKind(): string[] {
  const kinds = new Map<string, string>();
  for (const folder of goldenFolders()) {
    const kind = /^[a-z0-9]+(-(decode|encode|steps))?/.exec(basename(folder))![0];
    if (!kinds.has(kind)) kinds.set(kind, folder);
  }
  return [...kinds.values()];
}

function fuzzTargets(): string[] {
  return readdirSync(join(root, "test/native/fuzz"))
    .filter((name) => name.endsWith("_fuzz.cpp"))
    .map((name) => name.slice(0, -4));
}

/** A target is a case. As many run at once as there are cores. */
async function fuzz(): Promise<Result> {
  // The shortest last, so that all cores end at about the same time.
  const waiting = fuzzTargets().sort((one, other) => secondsOf(other) - secondsOf(one));
  const results: Result[] = [];
  const worker = async () => {
    for (let target = waiting.shift(); target; target = waiting.shift()) results.push(await fuzzOne(target));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return sum(results);
}

function secondsOf(target: string): number {
  return target === clipFuzz.target ? clipFuzz.seconds : fuzzSeconds;
}

async function fuzzOne(target: string): Promise<Result> {
  // Started with an empty corpus, a target writes its seeds there first.
  const corpus = join(root, "build-fuzz/corpus", target);
  const crashes = join(root, "build-fuzz/crashes", target);
  for (const folder of [corpus, crashes]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  const program = join(root, "build-fuzz/test/native/fuzz", target);
  // Many times what an input takes: a loaded machine may not look at this program for a while.
  const limits = [`-max_total_time=${secondsOf(target)}`, "-timeout=30", "-rss_limit_mb=2048"];
  const args = [
    ...limits,
    ...(target === clipFuzz.target ? [`-seed=${clipFuzz.seed}`] : []),
    "-print_final_stats=1",
    `-artifact_prefix=${crashes}/`,
    corpus,
  ];
  const { code, output } = await runProgram(program, args, { log: target, minutes: 5 });
  const executed = Number(/number_of_executed_units: (\d+)/.exec(output)?.[1] ?? 0);
  if (code === 0 && executed > 0) return { passed: 1, failed: 0, skipped: 0, notes: [`${target}: ${executed} inputs`] };
  return failure(`${target}: exit code ${code} after ${executed} inputs (${crashes})\n${tail(output, 40)}`);
}
