// The Generate view in a real browser against a scripted studio: fields, reasons, shortcuts, plan, a job's whole way from
// the button to the video, errors, editing a waiting job, and what axe finds in both themes.
import { page, userEvent } from "vitest/browser";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { render } from "vitest-browser-svelte";
import type { DraftCheck } from "../../../contract/channels/generate.ts";
import type { JobProgress, JobStage } from "../../../contract/job.ts";
import { allSettings } from "../../../contract/settings/derive.ts";
import { announcer } from "../../../renderer/state/announcer.svelte.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { machine } from "../../../renderer/state/machine.svelte.ts";
import { manyPrompts } from "../../../renderer/state/many-prompts.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { session } from "../../../renderer/state/session.svelte.ts";
import { runShortcut } from "../../../renderer/state/shortcuts.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { axeFindings, settled } from "../accessibility.ts";
import { checkOf, detailOf, jobOf, ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;
let change: Partial<DraftCheck>;

beforeEach(() => {
  change = {};
  studio = new ScriptedStudio({
    "generate:check": ({ draft }) => checkOf(draft.values, change),
    "machine:state": () => ({
      machine: {
        device: { name: "CPU", kind: "cpu", totalBytes: 8e9, usedBytes: 1e9 },
        card: null,
        memory: { totalBytes: 8e9, freeBytes: 7e9 },
        engineBytes: 0,
        warm: null,
        busy: false,
      },
    }),
    "queue:add": ({ drafts }) => ({ jobs: drafts.map((_, index) => jobOf(index + 1)) }),
    "queue:cancel": () => ({}),
    "queue:keep": () => ({}),
  });
  form.replace({}, null, null);
  session.keepView("generate.advanced", true);
  addEventListener("keydown", runShortcut);
  const stop = studio.connect(jobs, liveJob, machine, models, form);
  return () => {
    stop();
    removeEventListener("keydown", runShortcut);
    route.go("generate");
  };
});

async function open() {
  const screen = await render(GenerateView);
  await expect.element(page.getByText("fits · about 1.2 s")).toBeVisible();
  return screen;
}

const prompt = () => page.getByRole("textbox", { name: "Prompt" });
const generate = () => page.getByRole("button", { name: "Generate", exact: true });

function progressed(stage: JobStage, fraction: number, step = 0, overall = 0.5): JobProgress {
  const shares = { text: 0.1, load: 0.1, sample: 0.5, decode: 0.25, save: 0.05 };
  return { stage, fraction, step, steps: 4, overall, etaSeconds: 3, shares };
}

async function run(id: number) {
  studio.queue = { ...studio.queue, running: jobOf(id, { state: "running", startedAt: Date.now() }), waiting: [] };
  studio.say({ kind: "job:changed", jobId: id, state: "running", note: "" });
  await vi.waitFor(() => expect(liveJob.job?.id).toBe(id), { timeout: 30_000 });
}

test("New empties the form, puts the default preset beneath it, and can be undone", async () => {
  const quality = { id: "quality", name: "Quality", builtIn: true, settings: { slaTopk: 0.15 } };
  const marks = { fits: false, isDefault: true, unavailable: null, broken: false };
  studio.answers["presets:list"] = () => ({ presets: [{ ...quality, ...marks }] });
  await open();
  form.set("numSteps", 2);
  await prompt().fill("a red ball");
  await userEvent.keyboard("{Alt>}n{/Alt}");
  await expect.poll(() => form.draft).toEqual({ values: {}, presetId: "quality" });
  await expect.element(prompt()).toHaveFocus();
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  expect(form.draft).toEqual({ values: { numSteps: 2, prompt: "a red ball" } });
  await page.getByRole("button", { name: "New form" }).click();
  await expect.poll(() => form.presetId).toBe("quality");
});

test("every setting the model has a use for has a named control, and no other has", async () => {
  await open();
  const partOfAnother = ["prompt", "mode", "image", "model", "width", "height", "aspectRatio"];
  const hidden = checkOf({}).hidden;
  for (const { id, label } of allSettings.filter((setting) => !partOfAnother.includes(setting.id))) {
    const field = page.getByRole("group", { name: label, exact: true });
    if (hidden.includes(id)) await expect.element(field).not.toBeInTheDocument();
    else await expect.element(field.first()).toBeInTheDocument();
  }
});

test("says why it cannot run, then runs by Ctrl+Enter from inside the prompt with what was set", async () => {
  await open();
  await expect.element(generate()).toBeDisabled();
  await expect.element(page.getByText("Write a prompt first.")).toBeVisible();
  await userEvent.fill(prompt(), "a red ball bounces");
  await expect.element(page.getByText("4 words · 5 of 64 tokens")).toBeVisible();
  await page.getByRole("radio", { name: "Int8" }).first().click();
  await userEvent.click(prompt());
  await userEvent.keyboard("{Control>}{Enter}{/Control}");
  await vi.waitFor(() => expect(studio.requests("queue:add")).toHaveLength(1), { timeout: 30_000 });
  expect(studio.requests("queue:add")[0]).toEqual({
    drafts: [{ values: { prompt: "a red ball bounces", quantLinear: "int8" } }],
  });
});

test("a refusal stands beside the button", async () => {
  change = {
    refusal: {
      code: "checkpoint.missing",
      sentence: "The model's file is gone.",
      advice: "Check the path.",
      detail: "",
    },
  };
  form.set("prompt", "a red ball");
  await open();
  await expect.element(page.getByText("The model's file is gone. Check the path.")).toBeVisible();
  await expect.element(generate()).toBeDisabled();
});

test("the noise levels follow Sigma Max and Steps at once", async () => {
  await open();
  const strip = page.getByRole("list", { name: "Noise level of each step" });
  await expect.element(strip.getByText("0.988")).toBeInTheDocument();
  await userEvent.fill(page.getByRole("spinbutton", { name: "Sigma Max: exact value" }), "300");
  await userEvent.keyboard("{Enter}");
  await expect.element(strip.getByText("0.997")).toBeInTheDocument();
  await page.getByRole("group", { name: "Steps", exact: true }).getByRole("radio", { name: "2" }).click();
  expect(strip.getByRole("listitem").elements()).toHaveLength(2);
});

test("changed settings are counted, reset one by one and all at once, with undo", async () => {
  await open();
  await page.getByRole("group", { name: "Steps", exact: true }).getByRole("radio", { name: "2" }).click();
  await page.getByRole("switch", { name: "ODE sampling" }).click();
  await expect.element(page.getByText("2 changed ·")).toBeVisible();
  await page.getByRole("button", { name: "Reset Steps to 4" }).click();
  await expect.element(page.getByText("1 changed ·")).toBeVisible();
  await page.getByRole("button", { name: "Reset 1 changed settings" }).click();
  expect(form.values).toEqual({});
  (document.activeElement as HTMLElement | null)?.blur();
  await userEvent.keyboard("{Control>}z{/Control}");
  expect(form.values).toEqual({ ode: true });
});

test("a plan that does not fit says what is missing and offers what helps", async () => {
  const plan = checkOf({}).plan!;
  change = {
    plan: {
      ...plan,
      fits: false,
      peakBytes: 21 * 2 ** 30,
      freeBytes: 18 * 2 ** 30,
      fixes: [{ id: "tileDecode", values: { vaeTiling: "on" }, peakBytes: 9 * 2 ** 30 }],
    },
  };
  form.set("prompt", "a red ball");
  await render(GenerateView);
  await expect.element(page.getByText("needs 21.0 GB")).toBeVisible();
  await expect.element(page.getByText("3.0 GB too little: it will not run like this.")).toBeVisible();
  await expect.element(generate()).toBeEnabled();
  await page.getByRole("button", { name: "Tile the decode (9.0 GB)" }).click();
  expect(form.value("vaeTiling")).toBe("on");
  await expect.element(page.getByRole("region", { name: "The plan's advice was followed" })).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  expect(form.isSet("vaeTiling")).toBe(false);
});

test("a plan that fits is no good news beside a draft that is refused", async () => {
  await open();
  const verdict = page.getByText("fits · about 1.2 s");
  const good = getComputedStyle(verdict.element()).color;
  change = { refusal: { code: "model.unknown", sentence: "It is gone.", advice: "", detail: "" } };
  form.set("prompt", "a red ball");
  await expect.element(page.getByText("It is gone.")).toBeVisible();
  expect(getComputedStyle(verdict.element()).color).not.toBe(good);
});

test("a plan for a graphics card shows its memory and the main memory", async () => {
  const plan = checkOf({}).plan!;
  change = {
    plan: {
      ...plan,
      stages: plan.stages.map((each) => ({ ...each, deviceBytes: each.stage === "sample" ? 21 * 2 ** 30 : 2 ** 30 })),
      device: { name: "A card", peakBytes: 21 * 2 ** 30, freeBytes: 18 * 2 ** 30 },
      fits: false,
      fixes: [{ id: "runOnCpu", values: { device: "cpu" }, peakBytes: 9 * 2 ** 30 }],
    },
  };
  form.set("prompt", "a red ball");
  await render(GenerateView);
  await expect.element(page.getByText("needs 21.0 GB")).toBeVisible();
  await expect.element(page.getByText("Free on A card: 18.0 GB (red line).")).toBeVisible();
  await expect.element(page.getByText("3.0 GB too little on A card.")).toBeVisible();
  await expect.element(page.getByText("Main memory")).toBeVisible();
  expect(page.getByText("it will not run like this", { exact: false }).query()).toBeNull();
  await page.getByRole("button", { name: "Run on the CPU (9.0 GB)" }).click();
  expect(form.value("device")).toBe("cpu");
});

test("nothing made yet: an example goes into the prompt", async () => {
  await open();
  await page.getByRole("button", { name: /^Use this prompt: A red ball bounces/ }).click();
  expect(form.value("prompt")).toBe("A red ball bounces on a blue background");
  await expect.element(prompt()).toHaveFocus();
});

test("a job on its way: stage, step, noise, picture's shape, time, the end, and the video", async () => {
  await open();
  form.set("prompt", "a red ball");
  await expect.element(generate()).toBeEnabled();
  await generate().click();
  await expect.element(page.getByText("Starting").first()).toBeVisible();
  await run(1);
  studio.say({ kind: "job:progressed", jobId: 1, progress: progressed("sample", 0.4, 3) });
  await expect.element(page.getByText("Step 3 of 4")).toBeVisible();
  await expect.element(page.getByText("noise 0.853")).toBeVisible();
  await expect.element(page.getByText("prompt encoded", { exact: false })).toBeVisible();
  await expect.element(page.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "50");
  await expect.element(page.getByText("/ about", { exact: false })).toBeVisible();
  expect(announcer.words).toMatch(/^Step 3 of 4, about/);
  await expect.element(page.getByRole("button", { name: "Add to queue" })).toBeVisible();
  const marked = page.getByRole("listitem", { name: "Step 3: noise 0.853, running" });
  await expect.element(marked).toHaveAttribute("aria-current", "step");

  await page.getByRole("button", { name: "Stop and keep" }).click();
  expect(studio.requests("queue:keep")).toEqual([{ jobId: 1 }]);
  await expect.element(page.getByText("Finishing early …")).toBeVisible();
  await userEvent.keyboard("{Control>}.{/Control}");
  await vi.waitFor(() => expect(studio.requests("queue:cancel")).toEqual([{ jobId: 1 }]), { timeout: 30_000 });

  studio.details = [detailOf(1)];
  studio.queue = { ...studio.queue, running: null };
  studio.say({ kind: "job:changed", jobId: 1, state: "done", note: "" });
  await vi.waitFor(() => expect(document.querySelector("video")).not.toBeNull(), { timeout: 30_000 });
  expect(document.querySelector("video")).toMatchObject({ muted: true, loop: true });
  expect(announcer.words).toBe("The video is finished");
  await page.getByRole("button", { name: "Use seed" }).click();
  expect(form.value("seed")).toBe(7);
  await page.getByRole("button", { name: "Variation" }).click();
  await vi.waitFor(() => expect(studio.requests("queue:add")).toHaveLength(2), { timeout: 30_000 });
  expect(studio.requests("queue:add")[1]?.drafts[0]?.values).not.toHaveProperty("seed");
});

test("a failed job says what to do and is tried again", async () => {
  studio.details = [
    detailOf(5, {
      state: "failed",
      video: null,
      error: {
        code: "memory.exhausted",
        sentence: "There is not enough memory for this run.",
        advice: "Use a smaller size.",
        detail: "needed 3",
      },
    }),
  ];
  studio.answers["queue:retry"] = ({ jobId }) => ({ job: jobOf(jobId) });
  await open();
  studio.say({ kind: "job:changed", jobId: 5, state: "failed", note: "" });
  await expect.element(page.getByText("Use a smaller size.")).toBeVisible();
  await page.getByRole("button", { name: "Try again" }).click();
  await vi.waitFor(() => expect(studio.requests("queue:retry")).toEqual([{ jobId: 5 }]), { timeout: 30_000 });
});

test("a job that lost its graphics card is offered to the CPU", async () => {
  const error = { code: "gpu.lost", sentence: "The card stopped working.", advice: "Try again.", detail: "" } as const;
  studio.details = [detailOf(5, { state: "failed", video: null, deviceName: "A card", error })];
  studio.answers["queue:retry"] = ({ jobId }) => ({ job: jobOf(jobId) });
  await open();
  studio.say({ kind: "job:changed", jobId: 5, state: "failed", note: "" });
  await page.getByRole("button", { name: "Run on the CPU" }).click();
  await vi.waitFor(() => expect(studio.requests("queue:retry")).toEqual([{ jobId: 5, onCpu: true }]), {
    timeout: 30_000,
  });
});

test("a waiting job is edited in the form, and the own draft comes back", async () => {
  form.set("prompt", "my own words");
  studio.queue = { ...studio.queue, waiting: [jobOf(12, { prompt: "its words" })] };
  studio.answers["queue:edit"] = ({ jobId }) => ({ job: jobOf(jobId) });
  route.go("generate", "", { edit: "12" });
  await render(GenerateView);
  await expect.element(page.getByRole("group", { name: "Editing job 12" })).toBeVisible();
  await expect.element(prompt()).toHaveValue("its words");
  await userEvent.fill(prompt(), "better words");
  await page.getByRole("button", { name: "Save", exact: true }).first().click();
  await vi.waitFor(() => expect(studio.requests("queue:edit")[0]?.draft.values.prompt).toBe("better words"), {
    timeout: 30_000,
  });
  await vi.waitFor(() => expect(route.view).toBe("queue"), { timeout: 30_000 });
  await vi.waitFor(() => expect(form.value("prompt")).toBe("my own words"), { timeout: 30_000 });
});

test("many prompts are written over the form: who leaves them is where they were, who adds them sees the queue", async () => {
  studio.answers["generate:expand"] = () => ({ drafts: [{ values: { prompt: "Rain" } }], total: 1, problems: [] });
  await open();
  const opener = page.getByRole("button", { name: "Many prompts" });
  const dialog = page.getByRole("dialog", { name: "Many prompts" });
  const list = dialog.getByRole("textbox", { name: "Prompts" });
  await opener.click();
  await expect.element(list).toHaveFocus();
  await userEvent.keyboard("{Escape}");
  await expect.element(dialog).not.toBeInTheDocument();
  await expect.element(opener).toHaveFocus();
  expect(route.view).toBe("generate");
  await opener.click();
  await list.fill("Rain");
  await dialog.getByRole("button", { name: "Add 1 to queue" }).click();
  await expect.poll(() => route.view).toBe("queue");
  manyPrompts.clear();
});

test("Image to Video says what is missing where no model can do it", async () => {
  await open();
  await page.getByRole("radio", { name: "Image to Video" }).click();
  await expect.element(page.getByText("No installed model can start from a picture.")).toBeVisible();
  await expect.element(page.getByRole("button", { name: "Drop or paste a picture, or choose one" })).toBeVisible();
});

test("at 1024 by 700 the button is in sight and the plan is folded", async () => {
  await page.viewport(1024, 654);
  try {
    const { container } = await render(GenerateView);
    container.style.height = "654px";
    await expect.element(page.getByRole("button", { name: "Plan" })).toBeVisible();
    const { bottom } = generate().element().getBoundingClientRect();
    expect(bottom).toBeLessThanOrEqual(innerHeight);
  } finally {
    await page.viewport(1280, 800);
  }
});

describe.each(["dark", "light"])("%s", (theme) => {
  beforeEach(() => {
    document.documentElement.dataset.theme = theme;
  });

  test("axe finds nothing before the first video", async () => {
    await open();
    await settled();
    expect(await axeFindings()).toEqual([]);
  });

  test("axe finds nothing while a job runs", async () => {
    form.set("prompt", "a red ball");
    await open();
    await run(1);
    studio.say({ kind: "job:progressed", jobId: 1, progress: progressed("sample", 0.4, 3) });
    await expect.element(page.getByText("Step 3 of 4")).toBeVisible();
    await settled();
    expect(await axeFindings()).toEqual([]);
  });

  test("axe finds nothing with a finished video and a note of changes", async () => {
    studio.details = [detailOf(1)];
    await render(GenerateView);
    await vi.waitFor(() => expect(document.querySelector("video")).not.toBeNull(), { timeout: 30_000 });
    await form.apply({ kind: "preset", name: "Draft" }, { values: { numSteps: 2, numFrames: 49 } });
    await expect.element(page.getByRole("region", { name: /Draft/ })).toBeVisible();
    await settled();
    expect(await axeFindings()).toEqual([]);
  });
});
