// A suite that cannot run here says "skipped" and why; it never counts as passed or failed.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { cardSuites } from "./card-suites.ts";
import { oneCase, type Result, root, runSuite, type Suite } from "./suite.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-suites-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a program that runs these lines of sh before all others of its name. */
function stand(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env.PATH}`);
}

const noCard: [what: string, script: string][] = [
  ["that finds no driver", "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'; exit 9"],
  ["that finds no card", "echo 'No devices were found'"],
  ["that fails after an answer", "echo 9.0; exit 1"],
  ["that says nothing", "exit 0"],
];

describe("the suite of graphics cards", () => {
  const gpu = cardSuites.find(({ name }) => name === "gpu")!;

  test.each(noCard)("is skipped where there is an nvidia-smi %s", (_what, script) => {
    stand("nvidia-smi", script);
    expect(gpu.missing!()).toBe("no GPU");
  });

  test("runs where there are a card and nvcc", () => {
    // Of several cards the first is asked.
    stand("nvidia-smi", "printf '9.0\\n8.6\\n'");
    stand("nvcc", "exit 0");
    expect(gpu.missing!()).toBeNull();
  });

  test("is skipped where there is a card but no nvcc", ({ skip }) => {
    if (existsSync("/usr/local/cuda/bin/nvcc")) return skip("nvcc is here, and is found without the path");
    stand("nvidia-smi", "echo 9.0");
    vi.stubEnv("PATH", folder);
    expect(gpu.missing!()).toBe("no nvcc");
  });

  test.each(noCard)("has a script that ends with 77 where there is an nvidia-smi %s", (_what, script) => {
    stand("nvidia-smi", script);
    let code: unknown = 0;
    try {
      execFileSync(join(root, "test/native/gpu/run.sh"), [join(folder, "build")], { stdio: "ignore" });
    } catch (error) {
      code = (error as { status: unknown }).status;
    }
    expect(code).toBe(77);
    expect(readFileSync(join(folder, "build/gpu/summary.txt"), "utf8")).toBe("skipped: no GPU\n");
  });
});

describe("a suite of one program", () => {
  const results = (script: string): Promise<Result> =>
    runSuite({ name: "one", quick: true, run: () => oneCase("one", "sh", ["-c", script], { log: "one-case" }) });

  test("is skipped when the program ends with 77 and says why", async () => {
    expect(await results("echo begun; echo 'skipped: no GPU'; exit 77")).toEqual({
      passed: 0,
      failed: 0,
      skipped: 1,
      notes: ["skipped: no GPU"],
    });
  });

  test.each([
    ["with 77 for no reason that it tells", "exit 77"],
    ["with another code after a reason", "echo 'skipped: no GPU'; exit 1"],
  ])("has failed when it ends %s", async (_how, script) => {
    expect(await results(script)).toMatchObject({ passed: 0, failed: 1, skipped: 0 });
  });

  test("has passed when it ends with 0", async () => {
    expect(await results("exit 0")).toEqual({ passed: 1, failed: 0, skipped: 0, notes: [] });
  });
});

describe("a suite", () => {
  const suite = (result: Result): Suite => ({ name: "some", quick: true, run: () => Promise.resolve(result) });

  test("that lacks something is skipped with what it lacks", async () => {
    const lacking = { ...suite({ passed: 1, failed: 0, skipped: 0, notes: [] }), missing: () => "no GPU" };
    expect(await runSuite(lacking)).toEqual({ passed: 0, failed: 0, skipped: 1, notes: ["skipped: no GPU"] });
  });

  test.each([0, 2])("that ran nothing has failed, also with %i cases skipped for no told reason", async (skipped) => {
    expect(await runSuite(suite({ passed: 0, failed: 0, skipped, notes: [] }))).toMatchObject({
      failed: 1,
      notes: ["some: no test ran"],
    });
  });
});
