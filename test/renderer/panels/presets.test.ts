// The preset menu and the list of presets: applying with what changed and the way back, saving, and keeping them in order.
import { beforeEach, expect, test, vi } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import type { Draft, DraftCheck } from "../../../contract/channels/generate.ts";
import type { PresetEntry } from "../../../contract/channels/presets.ts";
import { RushesError } from "../../../contract/errors.ts";
import { defaultSettings, type Settings } from "../../../contract/settings/derive.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import PresetMenu from "../../../renderer/panels/PresetMenu.svelte";
import PresetsDialog from "../../../renderer/panels/PresetsDialog.svelte";
import { axeFindings, settled } from "../accessibility.ts";
import { ScriptedBridge } from "../views/scripted-bridge.ts";

const preset = (id: string, settings: Partial<Settings>, more: Partial<PresetEntry> = {}): PresetEntry => ({
  id,
  name: id,
  builtIn: false,
  settings,
  fits: false,
  isDefault: false,
  unavailable: null,
  broken: false,
  ...more,
});

let all: PresetEntry[];
let bridge: ScriptedBridge;

function check({ values, presetId }: Draft): DraftCheck {
  const settings = { ...defaultSettings(), ...all.find(({ id }) => id === presetId)?.settings, ...values };
  return { settings, inherited: settings, hidden: [], problems: [] } as unknown as DraftCheck;
}

beforeEach(async () => {
  for (const { id } of toasts.all) toasts.dismiss(id);
  all = [
    preset("cpu", { device: "cpu", quantLinear: "int8" }, { name: "CPU", builtIn: true, fits: true }),
    preset("14b-720p", { model: "wan2.1-14b" }, { builtIn: true, unavailable: "Wan2.1-14B is not on this machine." }),
    preset("Evening", { slaTopk: 0.2 }, { isDefault: true }),
    preset("Morning", { numSteps: 2 }),
    preset("torn", {}, { broken: true, unavailable: "torn.json is not JSON." }),
  ];
  bridge = new ScriptedBridge({
    "presets:list": () => ({ presets: all }),
    "generate:check": ({ draft }) => check(draft),
    "studio:session": () => ({ values: {}, presetId: null, views: {} }),
    "studio:keepSession": () => ({}),
    "presets:save": ({ name, settings }) => {
      const saved = preset(name, settings);
      all = [...all, saved];
      return { preset: saved };
    },
    "presets:replace": ({ id, settings }) => {
      all = all.map((each) => (each.id === id ? { ...each, settings } : each));
      return { preset: preset(id, settings) };
    },
    "presets:rename": ({ id, name }) => {
      all = all.map((each) => (each.id === id ? { ...each, name } : each));
      return { preset: preset(id, {}, { name }) };
    },
    "presets:duplicate": ({ id }) => ({ preset: preset(`${id} 2`, {}) }),
    "presets:delete": ({ id }) => {
      all = all.filter((each) => each.id !== id);
      return { text: "{}" };
    },
    "presets:import": ({ fileName }) => ({ preset: preset(fileName, {}), notes: ['There is no setting called "x".'] }),
    "presets:export": ({ id }) => ({ fileName: `${id}.json`, text: "{}" }),
    "presets:reorder": () => ({}),
    "presets:setDefault": () => ({}),
  });
  form.replace({ prompt: "a ball", numSteps: 3 });
  await form.apply({ kind: "new" }, { values: { prompt: "a ball", numSteps: 3 } });
});

test("marks the one that fits, says what is missing, and applies with a way back", async () => {
  const screen = await render(PresetMenu);
  await screen.getByRole("button", { name: /Preset: None/ }).click();
  await expect.element(screen.getByText("fits this machine")).toBeVisible();
  await expect.element(screen.getByText("Wan2.1-14B is not on this machine.")).toBeVisible();
  await expect.element(screen.getByRole("button", { name: /torn/ })).toBeDisabled();
  await screen.getByRole("button", { name: /^Morning/ }).click();
  await expect
    .poll(() => form.applied?.changes.map(({ id, from, to }) => [id, from, to]))
    .toEqual([["numSteps", 3, 2]]);
  await expect.element(screen.getByText("fits this machine")).not.toBeInTheDocument();
  expect([form.presetId, form.values]).toEqual(["Morning", { prompt: "a ball" }]);
  form.undo();
  expect([form.presetId, form.values]).toEqual([null, { prompt: "a ball", numSteps: 3 }]);
});

test("says when the form differs from its preset, and writes it back", async () => {
  await form.applyPreset(all[3]!);
  const screen = await render(PresetMenu);
  await expect.element(screen.getByRole("button", { name: "Preset: Morning", exact: true })).toBeVisible();
  form.set("numSteps", 4);
  await screen.getByRole("button", { name: /Preset: Morning\s*edited/ }).click();
  await screen.getByRole("button", { name: "Update Morning" }).click();
  await expect.poll(() => bridge.requests("presets:replace")).toEqual([{ id: "Morning", settings: { numSteps: 4 } }]);
  await expect.poll(() => form.values).toEqual({ prompt: "a ball" });
});

test("updating a preset can be undone: it holds what it held, and the form what it had set", async () => {
  await form.applyPreset(all[3]!);
  const screen = await render(PresetMenu);
  form.set("numSteps", 4);
  await screen.getByRole("button", { name: /Preset: Morning\s*edited/ }).click();
  await screen.getByRole("button", { name: "Update Morning" }).click();
  await expect.poll(() => toasts.all.at(-1)?.text).toBe("Morning was updated");
  // What is typed meanwhile is no part of it.
  form.set("prompt", "a square");
  toasts.all.at(-1)?.action?.run();
  await expect
    .poll(() => bridge.requests("presets:replace").at(-1))
    .toEqual({
      id: "Morning",
      settings: { numSteps: 2 },
    });
  await expect.poll(() => form.values).toEqual({ prompt: "a square", numSteps: 4 });
  await expect.element(screen.getByRole("button", { name: /Preset: Morning\s*edited/ })).toBeVisible();
});

test("arrow keys go through the list", async () => {
  const screen = await render(PresetMenu);
  await screen.getByRole("button", { name: /Preset: None/ }).click();
  await expect.element(screen.getByRole("button", { name: /^CPU/ })).toBeVisible();
  screen.getByRole("button", { name: /^CPU/ }).element().focus();
  await userEvent.keyboard("{ArrowDown}{ArrowDown}{Enter}");
  await expect.poll(() => form.presetId).toBe("Evening");
});

test("saves what the form holds, without the prompt unless it is asked for", async () => {
  const screen = await render(PresetMenu);
  for (const withPrompt of [false, true]) {
    form.replace({ prompt: "a ball", seed: 3, ode: true });
    await screen.getByRole("button", { name: /Preset:/ }).click();
    await screen.getByRole("button", { name: "Save as …" }).click();
    await screen.getByRole("textbox", { name: "Name" }).fill("Mine");
    if (withPrompt) await screen.getByRole("checkbox", { name: "With the prompt" }).click();
    await screen.getByRole("button", { name: "Save", exact: true }).click();
    await expect.poll(() => form.presetId).toBe("Mine");
    form.replace({}, null);
  }
  expect(bridge.requests("presets:save").map(({ settings }) => settings)).toEqual([
    { ode: true },
    { ode: true, prompt: "a ball" },
  ]);
});

test("what the preset in force brought and the new one leaves out stays in the form", async () => {
  all = [...all, preset("Cat", { mode: "i2v", prompt: "a cat", seed: 9, numSteps: 2 })];
  await form.apply({ kind: "new" }, { values: { seed: 3, ode: true }, presetId: "Cat" });
  const screen = await render(PresetMenu);
  await screen.getByRole("button", { name: /Preset: Cat/ }).click();
  await screen.getByRole("button", { name: "Save as …" }).click();
  await screen.getByRole("textbox", { name: "Name" }).fill("Mine");
  await screen.getByRole("button", { name: "Save", exact: true }).click();
  await expect.poll(() => form.presetId).toBe("Mine");
  expect(all.at(-1)?.settings).toEqual({ numSteps: 2, ode: true });
  expect(form.values).toEqual({ mode: "i2v", prompt: "a cat", seed: 3 });
  form.undo();
  expect([form.presetId, form.values]).toEqual(["Cat", { seed: 3, ode: true }]);
});

test("a refused name is said in the dialog, which stays", async () => {
  bridge.script["presets:save"] = () => {
    throw new RushesError("settings.invalid", { sentence: "The preset's name is too long." });
  };
  const screen = await render(PresetMenu);
  await screen.getByRole("button", { name: /Preset:/ }).click();
  await screen.getByRole("button", { name: "Save as …" }).click();
  await screen.getByRole("textbox", { name: "Name" }).fill("x");
  await userEvent.keyboard("{Enter}");
  await expect.element(screen.getByRole("alert").getByText("The preset's name is too long.")).toBeVisible();
});

test("renames, copies, orders, deletes with undo, and chooses the default", async () => {
  const screen = await render(PresetsDialog, { open: true, onclose: vi.fn() });
  const act = async (name: string, action: string) => {
    await screen.getByRole("button", { name: `Actions for ${name}` }).click();
    await screen.getByRole("menuitem", { name: action, exact: true }).click();
  };
  await act("Morning", "Rename");
  await screen.getByRole("textbox", { name: "Rename Morning" }).fill("Dawn");
  await userEvent.keyboard("{Enter}");
  await expect.element(screen.getByText("Dawn")).toBeVisible();
  await act("Dawn", "Move up");
  await expect.poll(() => bridge.requests("presets:reorder")).toEqual([{ ids: ["Morning", "Evening", "torn"] }]);
  await act("CPU", "Duplicate");
  await act("Evening", "No longer the default");
  await act("Evening", "Delete");
  await expect.element(screen.getByText("Evening", { exact: true })).not.toBeInTheDocument();
  await screen.getByRole("button", { name: "Undo" }).click();
  await expect.poll(() => bridge.requests("presets:import")).toEqual([{ fileName: "Evening.json", text: "{}" }]);
  expect(bridge.requests("presets:duplicate")).toEqual([{ id: "cpu" }]);
  expect(bridge.requests("presets:setDefault")).toEqual([{ id: null }]);
});

test("deleting leaves the keyboard at the next preset, with the undo within its reach, also once the dialog is closed", async () => {
  const onclose = vi.fn();
  const screen = await render(PresetsDialog, { open: true, onclose });
  const actions = (name: string) => screen.getByRole("button", { name: `Actions for ${name}` });
  const remove = async (name: string) => {
    await actions(name).click();
    await screen.getByRole("menuitem", { name: "Delete", exact: true }).click();
    await expect.element(screen.getByText(name, { exact: true })).not.toBeInTheDocument();
  };
  await expect.element(actions("Evening")).toBeVisible();
  await remove("Evening");
  await expect.element(actions("Morning")).toHaveFocus();
  const undo = screen.getByRole("button", { name: "Undo" });
  for (let presses = 0; presses < 20 && document.activeElement !== undo.element(); presses++)
    await userEvent.keyboard("{Tab}");
  await userEvent.keyboard("{Enter}");
  await expect.poll(() => bridge.requests("presets:import")).toEqual([{ fileName: "Evening.json", text: "{}" }]);
  await expect.element(undo).not.toBeInTheDocument();
  await expect.poll(() => document.activeElement?.closest("[role=dialog]")).not.toBeNull();
  // The last of the own ones.
  await remove("torn");
  await expect.element(actions("Morning")).toHaveFocus();
  expect(toasts.all).toEqual([]);
  await screen.getByRole("button", { name: "Close" }).last().click();
  expect(onclose).toHaveBeenCalled();
  expect(toasts.all.at(-1)).toMatchObject({
    text: expect.stringContaining("torn") as string,
    action: { label: "Undo" },
  });
});

test("imports a file and says what could not be used", async () => {
  const screen = await render(PresetsDialog, { open: true, onclose: vi.fn() });
  await expect.element(screen.getByText("Morning")).toBeVisible();
  const input = document.querySelector<HTMLInputElement>("input[type=file]")!;
  const transfer = new DataTransfer();
  transfer.items.add(new File(["model: {sla_topk: 0.2}"], "config.yaml"));
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  await expect.element(screen.getByText('There is no setting called "x".')).toBeVisible();
  expect(bridge.requests("presets:import")).toEqual([{ fileName: "config.yaml", text: "model: {sla_topk: 0.2}" }]);
});

test.each(["dark", "light"])("axe finds nothing in the %s theme", async (theme) => {
  document.documentElement.dataset["theme"] = theme;
  await page.viewport(1024, 700);
  const menu = await render(PresetMenu);
  await menu.getByRole("button", { name: /Preset:/ }).click();
  await expect.element(menu.getByText("Morning")).toBeVisible();
  await settled();
  expect(await axeFindings()).toEqual([]);
  await menu.unmount();
  await render(PresetsDialog, { open: true, onclose: vi.fn() });
  await expect.element(page.getByText("Morning")).toBeVisible();
  await settled();
  expect(await axeFindings()).toEqual([]);
});
