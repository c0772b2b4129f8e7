// LoRAs in the advanced settings: what the studio offers for the chosen model, the system's dialog in the desktop window, and
// our own where there is none.
import { beforeEach, expect, test } from "vitest";
import { page } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import type { LoraEntry } from "../../../contract/channels/models.ts";
import type { Hello } from "../../../contract/channels/studio.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { session } from "../../../renderer/state/session.svelte.ts";
import AdvancedSettings from "../../../renderer/views/generate/AdvancedSettings.svelte";
import { checkOf, ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;
let offered: LoraEntry[];

beforeEach(() => {
  offered = [
    { name: "night.safetensors", path: "/videos/Rushes/loras/night.safetensors", bytes: 1e6, rank: 4, problem: null },
  ];
  studio = new ScriptedStudio({
    "generate:check": ({ draft }) => {
      const check = checkOf(draft.values);
      return { ...check, hidden: check.hidden.filter((id) => id !== "loras") };
    },
    "models:loras": () => ({ loras: offered, folder: "/videos/Rushes/loras" }),
  });
  form.replace({}, null, null);
  session.keepView("generate.advanced", true);
});

async function open(capabilities: Partial<Hello["capabilities"]> = {}) {
  const hello = studio.answers["studio:hello"]!;
  studio.answers["studio:hello"] = async (request) => {
    const usual = await hello(request);
    return { ...usual, capabilities: { ...usual.capabilities, ...capabilities } };
  };
  const stop = studio.connect(form);
  await render(AdvancedSettings, { limits: {}, twoExperts: false });
  await expect.element(addLora()).toBeVisible();
  return { [Symbol.dispose]: stop };
}

const addLora = () => page.getByRole("button", { name: "Add a LoRA" });
const loras = () => form.values.loras;

test("those of the chosen model are offered, as they are at that moment", async () => {
  using _studio = await open();
  await expect.poll(() => studio.requests("models:loras").at(-1)).toEqual({ model: "demo" });
  await expect.element(page.getByText("Files in /videos/Rushes/loras can be chosen by name.")).toBeVisible();
  offered = [...offered, { name: "new.pth", path: "/videos/Rushes/loras/new.pth", bytes: 1e6, rank: 8, problem: null }];
  await addLora().click();
  await page.getByRole("menuitem", { name: /^new\.pth/ }).click();
  await expect.poll(loras).toEqual([{ file: "new.pth", strength: 1, expert: "both" }]);
  form.set("model", "other");
  await expect.poll(() => studio.requests("models:loras").at(-1)).toEqual({ model: "other" });
});

test("another file is chosen in the system's dialog", async () => {
  const paths = [null, "/styles/day.safetensors"];
  studio.answers["studio:choosePath"] = () => ({ path: paths.shift() ?? null });
  using _studio = await open();
  for (const wanted of [undefined, [{ file: "/styles/day.safetensors", strength: 1, expert: "both" }]]) {
    await addLora().click();
    await page.getByRole("menuitem", { name: "Choose a file …" }).click();
    await expect.poll(loras).toEqual(wanted);
  }
  expect(studio.requests("studio:choosePath")).toEqual([{ what: "lora" }, { what: "lora" }]);
});

test("or, where there is none, in our own", async () => {
  const entry = { name: "day.pth", path: "/root/day.pth", isFolder: false, bytes: 10 };
  const others = { ...entry, name: "notes.txt", path: "/root/notes.txt" };
  studio.answers["models:browse"] = () => ({ folder: "/root", parent: null, entries: [entry, others] });
  using _studio = await open({ chooseFiles: false });
  await addLora().click();
  await page.getByRole("menuitem", { name: "Choose a file …" }).click();
  const dialog = page.getByRole("dialog", { name: "Choose a file" });
  await dialog.getByRole("button", { name: /^day\.pth/ }).click();
  expect(dialog.getByText("notes.txt").query()).toBeNull();
  await dialog.getByRole("button", { name: "Use this file" }).click();
  await expect.poll(loras).toEqual([{ file: "/root/day.pth", strength: 1, expert: "both" }]);
  await expect.poll(() => dialog.query()).toBeNull();
});
