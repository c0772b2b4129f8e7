// The suites about TypeScript: formatting, lint, types, and the vitest projects of vitest.config.ts.
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { electronBinary } from "../electron/electron-binary.ts";
import { failure, logFolder, oneCase, type Result, root, runProgram, type Suite, sum, tail } from "./suite.ts";

export const typescriptSuites: readonly Suite[] = [
  {
    name: "format",
    quick: true,
    run: () => oneCase("prettier --check", "prettier", ["--check", "."], { log: "format" }),
  },
  {
    name: "lint",
    quick: true,
    run: () => oneCase("eslint", "eslint", [".", "--max-warnings", "0"], { log: "lint" }),
  },
  { name: "types", quick: true, run: types },
  { name: "unit", quick: true, run: () => vitest("unit", 30) },
  { name: "renderer", quick: true, run: () => vitest("renderer", 30) },
];

/** These run the built program and come after the native suites, so that an error in the engine shows there first. */
export const programSuites: readonly Suite[] = [
  { name: "follow", quick: false, run: () => vitest("follow", 25) },
  { name: "e2e", quick: false, run: () => vitest("e2e", 50) },
  {
    name: "electron",
    quick: false,
    missing: () => (electronBinary() === null ? "no Electron binary" : null),
    run: () => vitest("electron", 15),
  },
];

async function types(): Promise<Result> {
  const rooms = ["contract", "app", "test"];
  const results = await Promise.all(
    rooms.map((room) =>
      oneCase(`tsc -p ${room}`, "tsc", ["-p", `${room}/tsconfig.json`, "--noEmit"], { log: `types-${room}` }),
    ),
  );
  return sum([...results, await svelteTypes()]);
}

/** svelte-check reads the renderer's .ts files too. */
function svelteTypes(): Promise<Result> {
  const args = ["--tsconfig", "renderer/tsconfig.json", "--fail-on-warnings", "--output", "human"];
  return oneCase("svelte-check renderer", "svelte-check", args, { log: "types-renderer" });
}

/** The part of vitest's JSON report that is read (the form is Jest's). */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] | null }[];
  }[];
}

async function vitest(project: string, minutes: number): Promise<Result> {
  mkdirSync(logFolder, { recursive: true });
  const report = join(logFolder, `vitest-${project}.json`);
  rmSync(report, { force: true });
  const args = ["run", "--project", project, "--reporter=json", `--outputFile=${report}`, "--reporter=default"];
  const { code, output, timedOut } = await runProgram("vitest", args, { log: project, minutes });
  if (timedOut) return failure(`${project}: took more than ${minutes} minutes\n${tail(output)}`);
  if (!existsSync(report)) return failure(`${project}: vitest wrote no report\n${tail(output)}`);
  const result = read(JSON.parse(readFileSync(report, "utf8")) as Report);
  // Errors outside any test (a file that does not load, an unhandled rejection) make vitest fail without a failed case.
  if (code !== 0 && result.failed === 0) return sum([result, failure(`${project}: vitest failed\n${tail(output)}`)]);
  return result;
}

function read(report: Report): Result {
  const empty = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((one) => one.status === "failed"),
  );
  const failed = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter((one) => one.status === "failed")
      .map((one) => `${name.slice(root.length + 1)}: ${one.fullName}\n${tail(one.failureMessages?.[0] ?? "", 12)}`),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + empty.length,
    skipped: report.numPendingTests + report.numTodoTests,
    notes: [...failed, ...empty.map(({ name, message }) => `${name.slice(root.length + 1)}\n${tail(message, 12)}`)],
  };
}
