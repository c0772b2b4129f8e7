// The settings view: looks, folders, self-test, machine facts, log, and the report that is copied.
import { beforeEach, expect, test, vi } from "vitest";
import { page } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import type { SelfTestLine } from "../../../contract/channels/machine.ts";
import { RushesError } from "../../../contract/errors.ts";
import { preferences } from "../../../renderer/state/preferences.svelte.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import { diagnostics } from "../../../renderer/views/settings/diagnostics.svelte.ts";
import SettingsView from "../../../renderer/views/settings/SettingsView.svelte";
import { axeFindings, settled } from "../accessibility.ts";
import { hello, ScriptedBridge } from "./scripted-bridge.ts";

const line = (operation: string, passed: boolean): SelfTestLine => ({
  operation,
  name: "linear_int8_avx512",
  instructionSet: "avx512_vnni",
  case: "300x384x256",
  passed,
  error: passed ? 1.2e-7 : 0.5,
  tolerance: 1e-5,
  problem: "",
});

let bridge: ScriptedBridge;
beforeEach(async () => {
  preferences.theme = "dark";
  await text.choose("en");
  bridge = new ScriptedBridge({
    "studio:hello": () => ({ ...hello, capabilities: { ...hello.capabilities, showInFolder: true } }),
    "studio:showInFolder": () => ({}),
    "models:list": () => ({ models: [], folders: ["/models/wan"] }),
    "models:loras": () => ({ loras: [], folder: "" }),
    "presets:list": () => ({ presets: [] }),
    "machine:diagnostics": () => ({
      facts: [
        { group: "cpu", name: "Name", value: "AMD EPYC", good: null },
        { group: "libraries", name: "OpenH264", value: "2.3.1", good: true },
        { group: "folders", name: "Free", value: "0.1 GB", good: false },
      ],
    }),
    "machine:log": () => ({ text: "09:00 job 1: done\n" }),
    "machine:selfTest": () => ({
      lines: [line("linear", true), line("attention", false), line("attention", true)],
      passed: 2,
      failed: 1,
    }),
  });
});

test("says what the machine is and where things lie", async () => {
  const screen = await render(SettingsView);
  await expect.element(screen.getByText("AMD EPYC")).toBeVisible();
  await expect.element(screen.getByText("/home/me/Videos/Rushes", { exact: true })).toBeVisible();
  await expect.element(screen.getByText("/models/wan")).toBeVisible();
  await expect.element(screen.getByText("09:00 job 1: done")).toBeVisible();
  await screen.getByRole("button", { name: "Show the logs" }).click();
  expect(bridge.requests("studio:showInFolder")).toEqual([{ folder: "logs" }]);
});

test("in Chinese the facts have Chinese names; a sentence is folded under what it is about", async () => {
  const sentence = "none: No NVIDIA driver is installed.";
  bridge.script["machine:diagnostics"] = () => ({
    facts: [
      { group: "program", name: "Engine", value: "ready", good: true },
      { group: "cpu", name: "Cores", value: "2", good: null },
      { group: "gpu", name: "Name", value: sentence, good: null },
      { group: "libraries", name: "libnew", value: "1.0", good: true },
    ],
  });
  await text.choose("zh");
  try {
    const screen = await render(SettingsView);
    for (const words of [/^引擎$/, /就绪/, /核心数/, /libnew/, /没有可用的显卡。/])
      await expect.element(screen.getByText(words).first()).toBeVisible();
    expect(screen.getByText(/Engine|ready|Cores/).elements()).toEqual([]);
    await expect.element(screen.getByText(sentence)).not.toBeInTheDocument();
    await screen.getByRole("button", { name: "技术细节" }).click();
    await expect.element(screen.getByText(sentence)).toBeVisible();
    expect(diagnostics.report()).toContain(`gpu: Name: ${sentence}`);
  } finally {
    await text.choose("en");
  }
});

test("the self-test lists green and red, failures unfolded", async () => {
  const screen = await render(SettingsView);
  await screen.getByRole("button", { name: "Run the self-test" }).click();
  await expect.element(screen.getByText("1 of 3 checks failed")).toBeVisible();
  await expect.element(screen.getByText("1 of 2 passed")).toBeVisible();
  await expect.element(screen.getByRole("cell", { name: "failed", exact: true })).toBeVisible();
  expect(screen.getByRole("table").elements()).toHaveLength(1);
  await screen.getByRole("button", { name: "linear" }).click();
  expect(screen.getByRole("table").elements()).toHaveLength(2);
});

test("a self-test that was run, or still runs, is there when the view is opened again", async () => {
  let answer = () => {};
  const lines = [line("linear", true)];
  bridge.script["machine:selfTest"] = () =>
    new Promise((resolve) => (answer = () => resolve({ lines, passed: 1, failed: 0 })));
  const first = await render(SettingsView);
  await first.getByRole("button", { name: "Run the self-test" }).click();
  await first.unmount();
  const again = await render(SettingsView);
  await expect.element(again.getByRole("button", { name: "Testing …" })).toBeVisible();
  answer();
  await expect.element(again.getByText("The one check passed")).toBeVisible();
  await again.unmount();
  const last = await render(SettingsView);
  await expect.element(last.getByText("The one check passed")).toBeVisible();
});

test("theme and language change at once and are remembered", async () => {
  const screen = await render(SettingsView);
  await screen.getByRole("radio", { name: "Light" }).click();
  expect(document.documentElement.dataset["theme"]).toBe("light");
  await screen.getByRole("radio", { name: "中文" }).click();
  await expect.element(screen.getByRole("heading", { name: "设置", level: 1 })).toBeVisible();
  expect(localStorage.getItem("rushes.language")).toBe("zh");
  await screen.getByRole("radio", { name: "English" }).click();
  await expect.element(screen.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
});

test("copies everything a report of trouble needs", async () => {
  const write = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
  const screen = await render(SettingsView);
  await screen.getByRole("button", { name: "Run the self-test" }).click();
  await expect.element(screen.getByText("1 of 3 checks failed")).toBeVisible();
  await screen.getByRole("button", { name: "Copy diagnostics" }).click();
  await expect.poll(() => write.mock.calls.length).toBe(1);
  const report = write.mock.calls[0]?.[0] ?? "";
  for (const part of [
    "Rushes 0.1.0",
    "cpu: Name: AMD EPYC",
    "self-test: 2 passed, 1 failed",
    "failed: attention",
    "job 1: done",
  ])
    expect(report).toContain(part);
  write.mockRestore();
});

test("what cannot be asked is said, with a way to try again", async () => {
  bridge.script["machine:diagnostics"] = () => {
    throw new RushesError("engine.missing");
  };
  const screen = await render(SettingsView);
  await expect.element(screen.getByRole("alert").getByText("The engine has not been built.")).toBeVisible();
});

test.each(["dark", "light"])("axe finds nothing in the %s theme", async (theme) => {
  const screen = await render(SettingsView);
  document.documentElement.dataset["theme"] = theme;
  await screen.getByRole("button", { name: "Run the self-test" }).click();
  await expect.element(screen.getByText("1 of 3 checks failed")).toBeVisible();
  for (const [width, height] of [
    [1440, 900],
    [1024, 700],
  ] as const) {
    await page.viewport(width, height);
    await settled();
    expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(width);
  }
  expect(await axeFindings()).toEqual([]);
});
