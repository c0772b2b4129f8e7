// Every setting of the catalogue as a field: named, described, reached and changed by the keyboard, reset, kept in range.
import { describe, expect, test, vi } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { allSettings, checkSetting, type SettingId, settingOf } from "../../../contract/settings/derive.ts";
import { partOfAnother } from "../../../renderer/fields/kinds.ts";
import { axeFindings, settled } from "../accessibility.ts";
import { FieldForm } from "./field-form.svelte.ts";
import OneField from "./OneField.svelte";

const shown = allSettings.filter(({ id }) => !partOfAnother.includes(id)).map(({ id }) => id);

async function show(id: SettingId, form = new FieldForm(id), more: Record<string, unknown> = {}): Promise<FieldForm> {
  await render(OneField, { form, ...more });
  return form;
}

const reset = () => page.getByRole("button", { name: /^Reset / });

describe.each(shown)("%s", (id) => {
  const setting = settingOf(id);

  test("has a name, its help, and nothing that axe finds", async () => {
    await show(id);
    const group = page.getByRole("group", { name: setting.label }).first();
    await expect.element(group.getByText(setting.help)).toBeVisible();
    await settled();
    expect(await axeFindings(), "dark").toEqual([]);
    document.documentElement.dataset.theme = "light";
    await settled();
    expect(await axeFindings(), "light").toEqual([]);
    expect(reset().query()).toBeNull();
  });

  test("says what is wrong with its value, and goes back to the inherited one", async () => {
    const form = await show(id);
    form.change({ [id]: form.inherited[id] });
    form.problem = { id, sentence: `${setting.label} cannot be this.`, advice: "Use another." };
    await expect.element(page.getByText(`${setting.label} cannot be this. Use another.`)).toBeVisible();
    await reset().click();
    expect(form.values).toEqual({});
    await expect.poll(() => reset().query()).toBeNull();
  });
});

/** What the keyboard makes of it, and what is valid by the catalogue. */
function accepted(form: FieldForm): unknown {
  for (const change of form.changes)
    for (const [id, value] of Object.entries(change))
      expect(checkSetting(id as SettingId, value, form.limit)).toBeNull();
  return form.values[form.id];
}

describe("whole numbers", () => {
  test("frames move in steps of four, by keys and by the field, and stay in range", async () => {
    const form = await show("numFrames", undefined, { note: "5.1 s at 16 fps" });
    const slider = page.getByRole("slider", { name: "Frames" });
    await expect.element(slider).toHaveAttribute("aria-valuetext", "81, 5.1 s at 16 fps");
    (slider.element() as HTMLElement).focus();
    await userEvent.keyboard("{ArrowRight}");
    expect(accepted(form)).toBe(85);
    await userEvent.keyboard("{Home}");
    expect(accepted(form)).toBe(5);
    await userEvent.keyboard("{ArrowLeft}");
    expect(accepted(form)).toBe(5);
    await userEvent.keyboard("{End}");
    expect(accepted(form)).toBe(241);
    const exact = page.getByRole("spinbutton", { name: "Frames: exact value" });
    await exact.fill("50");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(49);
    await exact.fill("9999");
    await userEvent.tab();
    expect(accepted(form)).toBe(241);
    await exact.fill("many");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(241);
    await expect.element(exact).toHaveValue("241");
  });

  test("steps are buttons up to the model's limit", async () => {
    const form = await show("numSteps", new FieldForm("numSteps", { max: 2 }, { numSteps: 2 }));
    expect(page.getByRole("radio").elements()).toHaveLength(2);
    const one = page.getByRole("radio", { name: "1" });
    await one.click();
    expect(accepted(form)).toBe(1);
    (one.element() as HTMLElement).focus();
    await userEvent.keyboard("{ArrowRight}");
    expect(accepted(form)).toBe(2);
  });

  test("the memory budget has its unit where there is a number, the one the window counts memory in", async () => {
    const form = await show("memoryBudget");
    const field = page.getByRole("spinbutton", { name: "Memory budget (GB)" });
    await expect.element(field).toHaveAttribute("placeholder", "Auto");
    expect(page.getByText("GB", { exact: true }).query()).toBeNull();
    await field.fill("6");
    await expect.element(page.getByText("GB", { exact: true })).toBeVisible();
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(6);
  });

  test("threads: empty is auto, which is 0", async () => {
    const form = await show("threads");
    const field = page.getByRole("spinbutton", { name: "Threads" });
    await expect.element(field).toHaveAttribute("placeholder", "Auto");
    await field.fill("6");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(6);
    await userEvent.keyboard("{ArrowUp}");
    expect(accepted(form)).toBe(7);
    await field.fill("");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(0);
  });

  test("a seed is random, typed, drawn, or the last one", async () => {
    const form = await show("seed", undefined, { lastSeed: 418200931 });
    const field = page.getByRole("spinbutton", { name: "Seed" });
    await expect.element(field).toHaveAttribute("placeholder", "Random");
    await page.getByRole("button", { name: "Use the last seed" }).click();
    expect(accepted(form)).toBe(418200931);
    await page.getByRole("button", { name: "Draw a seed" }).click();
    expect(accepted(form)).not.toBe(418200931);
    await field.fill("9007199254740991");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(9007199254740991);
    await field.fill("");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBeNull();
  });
});

describe("real numbers", () => {
  test("sigma max is logarithmic: half way between 1 and 1600 is 40", async () => {
    const form = await show("sigmaMax");
    const slider = page.getByRole("slider", { name: "Sigma Max" });
    const track = slider.element().parentElement!;
    const { left, top, width, height } = track.getBoundingClientRect();
    await userEvent.click(track, { position: { x: width / 2, y: height / 2 } });
    expect(left + top).toBeGreaterThanOrEqual(0);
    expect(accepted(form)).toBe(40);
    await userEvent.keyboard("{ArrowRight}");
    expect(accepted(form)).toBeGreaterThan(40);
    await userEvent.keyboard("{Home}");
    expect(accepted(form)).toBe(1);
    await userEvent.keyboard("{ArrowRight}");
    expect(accepted(form)).toBe(2);
    await userEvent.keyboard("{End}");
    expect(accepted(form)).toBe(1600);
    // Any number in the range may be typed, not only the slider's steps.
    await page.getByRole("spinbutton", { name: "Sigma Max: exact value" }).fill("80,5");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(80.5);
  });

  test("top-k moves by hundredths without rounding dust", async () => {
    const form = await show("slaTopk");
    (page.getByRole("slider").element() as HTMLElement).focus();
    for (let press = 0; press < 5; press++) await userEvent.keyboard("{ArrowRight}");
    expect(accepted(form)).toBe(0.15);
    await userEvent.keyboard("{PageUp}");
    expect(accepted(form)).toBe(0.25);
  });

  test("a value that is the model's own is empty and says so", async () => {
    const form = await show("guidanceScale");
    const field = page.getByRole("spinbutton", { name: "Guidance scale" });
    await expect.element(field).toHaveAttribute("placeholder", "model's own");
    await field.fill("5.5");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe(5.5);
    await field.fill("");
    await userEvent.tab();
    expect(accepted(form)).toBeNull();
  });
});

describe("choices", () => {
  test("quant linear by mouse and arrow keys, without what the model lacks", async () => {
    const form = await show("quantLinear", new FieldForm("quantLinear", { choices: ["auto", "int8"] }));
    await expect.element(page.getByRole("radio", { name: "Auto" })).toBeChecked();
    expect(page.getByRole("radio").elements()).toHaveLength(2);
    await page.getByRole("radio", { name: "Int8" }).click();
    expect(accepted(form)).toBe("int8");
    await userEvent.keyboard("{ArrowLeft}");
    expect(accepted(form)).toBe("auto");
  });

  test("a choice may be left to the model", async () => {
    const form = await show("scheduler");
    await page.getByRole("radio", { name: "Euler" }).click();
    expect(accepted(form)).toBe("euler");
    await page.getByRole("radio", { name: "model's own" }).click();
    expect(accepted(form)).toBeNull();
  });

  test("a long list opens, and a letter finds the choice", async () => {
    const form = await show("attentionType");
    const list = page.getByRole("combobox", { name: "Attention" });
    if (list.query() === null) {
      await page.getByRole("radio", { name: "SageSLA" }).click();
    } else {
      (list.element() as HTMLElement).focus();
      await userEvent.keyboard("{Enter}");
      await page.getByRole("option", { name: "SageSLA" }).click();
    }
    expect(accepted(form)).toBe("sagesla");
  });

  test("on and off by the space bar", async () => {
    const form = await show("ode");
    const field = page.getByRole("switch", { name: "ODE sampling" });
    (field.element() as HTMLElement).focus();
    await userEvent.keyboard(" ");
    expect(accepted(form)).toBe(true);
    await expect.element(field).toHaveAttribute("aria-checked", "true");
  });
});

describe("sizes", () => {
  test("a named resolution has a shape, chosen by mouse or arrow keys", async () => {
    const form = await show("resolution");
    await page.getByRole("radio", { name: "720p" }).click();
    expect(accepted(form)).toBe("720p");
    await page.getByRole("radio", { name: "9:16" }).click();
    expect(form.values.aspectRatio).toBe("9:16");
    await userEvent.keyboard("{ArrowRight}");
    expect(form.values.aspectRatio).toBe("16:9");
    await expect.element(page.getByRole("radio", { name: "16:9" })).toHaveFocus();
  });

  test("a custom size begins with the present one and keeps to multiples of 16", async () => {
    const form = await show("resolution");
    await page.getByRole("radio", { name: "Custom" }).click();
    expect(accepted(form)).toBe("832x480");
    await page.getByRole("spinbutton", { name: "Width" }).fill("500");
    await userEvent.keyboard("{Enter}");
    expect(accepted(form)).toBe("496x480");
    await page.getByRole("spinbutton", { name: "Height" }).fill("99999");
    await userEvent.tab();
    expect(accepted(form)).toBe("496x4096");
    await page.getByRole("spinbutton", { name: "Width" }).fill("99999");
    await userEvent.tab();
    expect(accepted(form)).toBe("2304x4096");
  });

  test("a model's own sizes stand in place of the named ones", async () => {
    const sizes = [
      { width: 128, height: 128 },
      { width: 64, height: 64 },
    ];
    const form = await show("resolution", new FieldForm("resolution", {}, { resolution: "128x128" }), { sizes });
    await expect.element(page.getByRole("radio", { name: "128×128" })).toBeChecked();
    await page.getByRole("radio", { name: "64×64" }).click();
    expect(accepted(form)).toBe("64x64");
  });
});

describe("texts and lists", () => {
  test("a prompt is any text, kept letter by letter", async () => {
    const form = await show("prompt");
    await page.getByRole("textbox", { name: "Prompt" }).fill("一只红球 in the rain");
    expect(accepted(form)).toBe("一只红球 in the rain");
  });

  const offered = [
    { name: "night.safetensors", bytes: 2_000_000, rank: 4, problem: null },
    { name: "broken.pth", bytes: 10, rank: null, problem: "broken.pth is damaged." },
  ];
  const loraChoice = (files: (string | null)[] = []) => ({
    offered,
    folder: "/library/loras",
    look: vi.fn<() => void>(),
    chooseFile: (take: (path: string) => void) => {
      const file = files.shift() ?? null;
      if (file !== null) take(file);
    },
  });
  const addLora = () => page.getByRole("button", { name: "Add a LoRA" });
  const entry = (name: string | RegExp) => page.getByRole("menuitem", { name });

  test("LoRA files are chosen by name, those that cannot be used are not, and where more belong is said", async () => {
    const choice = loraChoice();
    const form = await show("loras", undefined, { loraChoice: choice });
    await expect.element(page.getByText("Files in /library/loras can be chosen by name.")).toBeVisible();
    (addLora().element() as HTMLElement).focus();
    await userEvent.keyboard("{Enter}");
    await expect.element(entry("broken.pth cannot be used")).toHaveAttribute("aria-disabled", "true");
    expect(choice.look).toHaveBeenCalledOnce();
    await settled();
    expect(await axeFindings()).toEqual([]);
    await userEvent.keyboard("{Enter}");
    await expect.poll(() => accepted(form)).toEqual([{ file: "night.safetensors", strength: 1, expert: "both" }]);
    expect(page.getByRole("radio").elements()).toEqual([]);
    await addLora().click();
    await expect.element(entry(/^night.safetensors rank 4, 1.9 MB$/)).toHaveAttribute("aria-disabled", "true");
  });

  test("one for an expert that the model lacks shows its expert, so that it can be changed", async () => {
    const loras = [{ file: "night.safetensors", strength: 1, expert: "low" as const }];
    const form = await show("loras", new FieldForm("loras", {}, { loras }));
    await page.getByRole("radio", { name: "Both" }).click();
    expect(accepted(form)).toEqual([{ ...loras[0], expert: "both" }]);
  });

  test("of two experts each may have the file with a strength of its own", async () => {
    const form = await show("loras", undefined, { twoExperts: true, loraChoice: loraChoice() });
    await addLora().click();
    await entry(/^night/).click();
    await page.getByRole("radio", { name: "High noise" }).click();
    await addLora().click();
    await entry(/^night/).click();
    expect(accepted(form)).toMatchObject([{ expert: "high" }, { expert: "low" }]);
    await addLora().click();
    await expect.element(entry(/^night/)).toHaveAttribute("aria-disabled", "true");
  });

  test("LoRA files are added with a strength, sent to an expert, and removed", async () => {
    const files = ["/models/style.safetensors", null];
    const form = await show("loras", undefined, { twoExperts: true, loraChoice: loraChoice(files) });
    await addLora().click();
    await entry("Choose a file …").click();
    await expect
      .poll(() => accepted(form))
      .toEqual([{ file: "/models/style.safetensors", strength: 1, expert: "both" }]);
    await addLora().click();
    await entry("Choose a file …").click();
    const strength = page.getByRole("spinbutton", { name: "Strength: style.safetensors: exact value" });
    await strength.fill("-3");
    await userEvent.keyboard("{Enter}");
    await page.getByRole("radio", { name: "Low noise" }).click();
    expect(accepted(form)).toEqual([{ file: "/models/style.safetensors", strength: -2, expert: "low" }]);
    await page.getByRole("button", { name: "Remove style.safetensors" }).click();
    expect(accepted(form)).toEqual([]);
  });
});

test("a disabled field takes nothing", async () => {
  const form = await show("slaTopk", undefined, { disabled: true });
  await expect.element(page.getByRole("slider")).toHaveAttribute("aria-disabled", "true");
  await expect.element(page.getByRole("spinbutton")).toBeDisabled();
  expect(form.changes).toEqual([]);
});
