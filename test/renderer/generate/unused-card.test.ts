// A graphics card that is there and cannot be used: the header's memory says why, and so does the first start.
import { page } from "vitest/browser";
import { afterEach, expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import type { MachineState } from "../../../contract/channels/machine.ts";
import MemoryMeter from "../../../renderer/frame/MemoryMeter.svelte";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { machine } from "../../../renderer/state/machine.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { axeFindings, settled } from "../accessibility.ts";
import { ScriptedStudio } from "../scripted-studio.ts";
import ViewFrame from "../views/ViewFrame.svelte";

const unused = { name: "RTX 4070", reason: "Its driver is too old.", advice: "Update the driver." };
const none = { name: null, reason: "No driver is installed.", advice: "" };
const sentence = "The graphics card RTX 4070 is not used. Its driver is too old. Update the driver.";
const state: MachineState = {
  device: { name: "A processor", kind: "cpu", totalBytes: 8 * 2 ** 30, usedBytes: 2 ** 30 },
  card: null,
  memory: { totalBytes: 8 * 2 ** 30, freeBytes: 7 * 2 ** 30 },
  engineBytes: 0,
  warm: null,
  busy: false,
};

let studio: ScriptedStudio;
let stop: () => void;
afterEach(async () => {
  stop();
  route.go("generate");
  await text.choose("en");
});

/** Resolves once the window knows this of the machine. */
async function connect(change: Partial<MachineState>): Promise<void> {
  const first = { ...state, ...change };
  studio = new ScriptedStudio({ "machine:state": () => ({ machine: first }) });
  stop = studio.connect(jobs, machine, models, form);
  await expect.poll(() => machine.state).toBe(first);
}

function become(change: Partial<MachineState>): void {
  studio.say({ kind: "machine:changed", machine: { ...state, ...change } });
}

test("the memory's popover says why the card is not used, or why there is none", async () => {
  await connect({ card: unused });
  await render(MemoryMeter);
  await page.getByRole("button", { name: "Memory of A processor: 1.0 GB / 8.0 GB" }).click();
  const popover = page.getByRole("dialog", { name: "Memory of A processor" });
  await expect.element(popover.getByText(sentence)).toBeVisible();
  await settled();
  expect(await axeFindings()).toEqual([]);
  become({ card: none });
  await expect.element(popover.getByText("No graphics card is used. No driver is installed.")).toBeVisible();
  become({ card: null });
  await expect.element(popover.getByText(/graphics card/)).not.toBeInTheDocument();
  await expect.element(popover.getByText("No model is in memory")).toBeVisible();
});

test("a card that is used shows its memory, and the main memory with what is used of it", async () => {
  const device = { name: "A card", kind: "gpu", totalBytes: 24 * 2 ** 30, usedBytes: null } as const;
  await connect({ device });
  await render(MemoryMeter);
  await page.getByRole("button", { name: "Memory of A card: 24.0 GB" }).click();
  const popover = page.getByRole("dialog", { name: "Memory of A card" });
  await expect.element(popover.getByText("24.0 GB")).toBeVisible();
  await expect.element(popover.getByText("1.0 GB / 8.0 GB")).toBeVisible();
  // Nothing is drawn as full or empty of which nobody knows.
  expect(popover.getByRole("meter").elements()).toHaveLength(1);
  await settled();
  expect(await axeFindings()).toEqual([]);
});

test("the first start says it once it is known, moves nothing, and leads to the diagnostics", async () => {
  await connect({});
  await render(ViewFrame, { view: GenerateView });
  await expect.element(page.getByText(/begin with one of these/)).toBeVisible();
  await settled();
  const title = () =>
    page.getByRole("heading", { name: "Make your first video" }).element().getBoundingClientRect().top;
  const before = title();
  become({ card: unused });
  await expect.element(page.getByText(sentence)).toBeVisible();
  expect(Math.abs(title() - before)).toBeLessThan(1);
  await settled();
  expect(await axeFindings()).toEqual([]);
  await page.getByRole("link", { name: "Diagnostics" }).click();
  await expect.poll(() => location.hash).toBe("#/settings");
});

test("where no card was found, the first start says nothing of it", async () => {
  await connect({ card: none });
  await render(ViewFrame, { view: GenerateView });
  await expect.element(page.getByText(/begin with one of these/)).toBeVisible();
  expect(page.getByText(/No driver/).query()).toBeNull();
});

test("in Chinese it says what it is about, with the engine's sentence folded under it", async () => {
  await text.choose("zh");
  await connect({ card: unused });
  await render(ViewFrame, { view: GenerateView });
  await expect.element(page.getByText(/未使用显卡 RTX 4070。/)).toBeVisible();
  await expect.element(page.getByRole("link", { name: "诊断" })).toBeVisible();
  expect(page.getByText(/Its driver is too old/).query()).toBeNull();
  await page.getByRole("button", { name: "技术细节" }).click();
  await expect.element(page.getByText("Its driver is too old. Update the driver.")).toBeVisible();
});
