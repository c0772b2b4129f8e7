// The desktop window in Electron itself: the flows of the page, and what only the real program can show. Run by
// `npm run test:electron` where Electron's binary is; elsewhere the suite says "skipped: no Electron binary".
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { _electron, type ElectronApplication, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildWindow } from "../e2e/studio-window/build-window.ts";
import { request, until, windowFlows } from "../e2e/desktop-window/window-flows.ts";
import { electronBinary } from "./electron-binary.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "rushes-electron-"));
const complaints: string[] = [];
let program: ElectronApplication;
let page: Page;

async function start(): Promise<void> {
  program = await _electron.launch({
    executablePath: electronBinary() ?? "",
    args: [root, `--user-data-dir=${join(folder, "user")}`],
    env: { ...process.env, RUSHES_LIBRARY: join(folder, "library"), OMP_WAIT_POLICY: "passive" } as Record<
      string,
      string
    >,
    // Root, as in a container, has no sandbox of its own.
    chromiumSandbox: process.getuid?.() !== 0,
  });
  page = await program.firstWindow();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
  });
  await page.getByRole("navigation").first().waitFor();
}

beforeAll(async () => {
  execFileSync("npm", ["run", "--silent", "build:app"], { cwd: root, stdio: "pipe" });
  await buildWindow();
  await start();
});
afterAll(async () => {
  await program?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

windowFlows(() => ({ page, complaints }));

test("the page is ours, sandboxed and alone", async () => {
  expect(page.url()).toMatch(/^app:\/\/rushes\//);
  const facts = await program.evaluate(({ BrowserWindow }) => {
    const windows = BrowserWindow.getAllWindows();
    return { count: windows.length, title: windows[0]?.getTitle() };
  });
  expect(facts).toMatchObject({ count: 1, title: expect.stringContaining("Rushes") as string });
});

test("the page gets nowhere else and reaches no network", async () => {
  await page.evaluate(`void (location.href = "https://example.com/")`);
  expect(await page.evaluate(`window.open("https://example.com/")`)).toBeNull();
  await expect(page.evaluate(`fetch("https://example.com/")`)).rejects.toThrow();
  expect(page.url()).toMatch(/^app:\/\/rushes\//);
  // The policy's own words about the refused request.
  complaints.length = 0;
});

test("the engine is a utility process: killed, the next job starts another", async () => {
  const engine = () =>
    program.evaluate(({ app }) => app.getAppMetrics().find(({ name }) => name === "Rushes engine")?.pid ?? null);
  const first = await engine();
  expect(first).not.toBeNull();
  process.kill(first!, "SIGKILL");
  await until(async () => (await engine()) !== first, "the end of the engine");
  const { jobs } = await request(page, "queue:add", {
    drafts: [{ values: { prompt: "A red ball", numSteps: 1, seed: 3 } }],
  });
  const jobId = jobs[0]!.id;
  await until(async () => (await request(page, "history:detail", { jobId })).detail.state === "done", "the job");
});

test("a program that is killed finds its queue again", async () => {
  const values = { prompt: "A red ball", width: 256, height: 256, numFrames: 49, seed: 4 };
  const { jobs } = await request(page, "queue:add", { drafts: [{ values }] });
  const jobId = jobs[0]!.id;
  const detail = async () => (await request(page, "history:detail", { jobId })).detail;
  await until(async () => (await detail()).steps.length >= 1, "a finished step");
  program.process().kill("SIGKILL");
  await start();
  await until(async () => (await detail()).state === "done", "the job to continue");
  expect((await detail()).attempts).toBe(2);
});
