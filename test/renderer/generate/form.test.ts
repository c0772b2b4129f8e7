// The form without its looks: what is asked of the studio and when, which answer counts, undo, presets beneath the form, the
// session, and another job's values in it for a while.
import { beforeEach, expect, test, vi } from "vitest";
import type { Draft, DraftCheck } from "../../../contract/channels/generate.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { session } from "../../../renderer/state/session.svelte.ts";
import { jobSettings, ownValuesOf, useJobSettings } from "../../../renderer/state/use-settings.ts";
import { checkOf, jobOf, ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;

beforeEach(async () => {
  studio = new ScriptedStudio();
  const stop = studio.connect(form);
  form.replace({}, null, null);
  await vi.waitFor(() => expect(form.checking).toBe(false), { timeout: 30_000 });
  studio.asked.length = 0;
  return stop;
});

const settled = () => vi.waitFor(() => expect(form.checking).toBe(false), { timeout: 30_000 });

test("many keystrokes become one question, with the last words", async () => {
  for (const prompt of ["a", "a r", "a red ball"]) form.set("prompt", prompt);
  expect(studio.requests("generate:check")).toHaveLength(0);
  await settled();
  expect(studio.requests("generate:check").map(({ draft }) => draft.values.prompt)).toEqual(["a red ball"]);
});

test("an answer to older values is dropped, however late it comes", async () => {
  const open: ((check: DraftCheck) => void)[] = [];
  studio.answers["generate:check"] = () => new Promise((resolve) => open.push(resolve));
  form.set("numSteps", 2);
  await vi.waitFor(() => expect(open).toHaveLength(1), { timeout: 30_000 });
  form.set("numSteps", 3);
  await vi.waitFor(() => expect(open).toHaveLength(2), { timeout: 30_000 });
  open[1]!(checkOf({ numSteps: 3 }));
  await settled();
  open[0]!(checkOf({ numSteps: 2 }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(form.check?.settings.numSteps).toBe(3);
});

test("a studio that does not answer is said, and the values stay", async () => {
  studio.answers["generate:check"] = () => Promise.reject(new Error("gone"));
  form.set("prompt", "a red ball");
  await settled();
  expect(form.checkFailed).toBe(true);
  expect(form.value("prompt")).toBe("a red ball");
});

test("undo takes back one change of a field, however many keystrokes it had", async () => {
  form.set("prompt", "a");
  form.set("prompt", "a red");
  form.set("numSteps", 2);
  form.undo();
  expect(form.values).toEqual({ prompt: "a red" });
  form.undo();
  expect(form.values).toEqual({});
  await settled();
});

test("a preset lies beneath the form: its values win, others stay, and undo brings everything back", async () => {
  form.set("numSteps", 2);
  form.set("slaTopk", 0.3);
  await settled();
  studio.answers["generate:check"] = ({ draft }) =>
    checkOf({ ...(draft.presetId === "quality" ? { slaTopk: 0.15, sigmaMax: 90 } : {}), ...draft.values });
  const change = await form.applyPreset({ id: "quality", name: "Quality", settings: { slaTopk: 0.15, sigmaMax: 90 } });
  expect(form.draft).toEqual({ values: { numSteps: 2 }, presetId: "quality" });
  expect(change.changes).toEqual([
    { id: "slaTopk", from: 0.3, to: 0.15 },
    { id: "sigmaMax", from: 80, to: 90 },
  ]);
  expect(form.applied).toBe(change);
  form.undo();
  expect(form.draft).toEqual({ values: { numSteps: 2, slaTopk: 0.3 } });
  expect(form.applied).toBeNull();
  await settled();
});

test("of a result's settings only those become the form's that would not hold anyway", async () => {
  const job = jobOf(4, { prompt: "a blue square", seed: 99 });
  const changed = { ...job, settings: { ...job.settings, numSteps: 2, sigmaMax: 120 } };
  const values = await ownValuesOf(jobSettings(changed));
  expect(values).toEqual({
    prompt: "a blue square",
    mode: "t2v",
    model: "demo",
    numSteps: 2,
    sigmaMax: 120,
    seed: 99,
  });
});

test("what was automatic and comes to the same again stays automatic", async () => {
  const clip = { quantLinear: "int8", attentionType: "original", textEncoderFormat: "int8" } as const;
  const job = jobOf(4);
  const values = await ownValuesOf(jobSettings({ ...job, settings: { ...job.settings, ...clip } }));
  // Auto comes to int8 by itself, to sagesla where it is not told otherwise, and nothing is known of the text encoder.
  expect(values).not.toHaveProperty("quantLinear");
  expect(values).toMatchObject({ attentionType: "original", textEncoderFormat: "int8" });
});

test("what follows from another automatic value is looked at together with it", async () => {
  // Without the int8 weights that ran, auto would come to another attention.
  studio.answers["generate:check"] = ({ draft: { values } }) => {
    const attentionType = values.quantLinear === "off" ? "original" : "sagesla";
    return checkOf(values, { automatic: { quantLinear: "int8", attentionType } });
  };
  const job = jobOf(4);
  const ran = (attentionType: "original" | "sagesla") =>
    ownValuesOf(jobSettings({ ...job, settings: { ...job.settings, quantLinear: "off", attentionType } }));
  expect(await ran("sagesla")).toMatchObject({ quantLinear: "off", attentionType: "sagesla" });
});

test("what belongs to the machine is not taken over from a result, and stays as it is set here", async () => {
  form.set("memoryBudget", 4);
  form.set("vaeTiling", "on");
  const job = jobOf(4);
  const machine = { device: "cpu", precision: "fp32", threads: 2, vaeTiling: "off", offload: "off" } as const;
  await useJobSettings({ ...job, settings: { ...job.settings, ...machine } }, true);
  expect(form.values).toEqual({
    prompt: job.prompt,
    mode: "t2v",
    model: "demo",
    seed: 7,
    memoryBudget: 4,
    vaeTiling: "on",
  });
});

test("a result's frame that follows from its picture goes on following; one that does not is kept in pixels", async () => {
  const asked: Draft[] = [];
  studio.answers["generate:check"] = ({ draft }) => {
    asked.push(draft);
    return checkOf(draft.values, draft.image ? { frameSize: { width: 176, height: 96 } } : {});
  };
  const job = jobOf(4, { mode: "i2v", inputImage: "/inputs/cat.png" });
  const own = (width: number, height: number) =>
    ownValuesOf({ ...jobSettings(job), width, height }, { path: "/inputs/cat.png" });
  const follows = await own(176, 96);
  expect(follows).not.toHaveProperty("adaptiveResolution");
  expect(follows).toMatchObject({ mode: "i2v" });
  expect(follows).not.toMatchObject({ resolution: "176x96" });
  expect(asked.at(-1)).toMatchObject({ values: { resolution: "128x128" }, image: { path: "/inputs/cat.png" } });
  expect(await own(256, 128)).toMatchObject({ resolution: "256x128", adaptiveResolution: false });
});

test("settings of a result are used with its seed or without", async () => {
  await useJobSettings(jobOf(4, { seed: 99 }), true);
  expect(form.value("seed")).toBe(99);
  await useJobSettings(jobOf(4, { seed: 99 }), false);
  expect(form.isSet("seed")).toBe(false);
  expect(form.applied?.origin).toEqual({ kind: "result", jobId: 4 });
});

test("what was set is kept for the next start", async () => {
  form.set("prompt", "kept words");
  await vi.waitFor(() => expect(studio.session.values.prompt).toBe("kept words"), { timeout: 30_000 });
});

test("another job's values are borrowed and leave no trace", async () => {
  form.set("prompt", "my own words");
  await vi.waitFor(() => expect(studio.session.values.prompt).toBe("my own words"), { timeout: 30_000 });
  form.borrow({ prompt: "the job's words" }, null);
  expect(form.value("prompt")).toBe("the job's words");
  form.set("prompt", "the job's words, changed");
  session.write();
  expect(studio.session.values.prompt).toBe("my own words");
  form.putBack();
  expect(form.value("prompt")).toBe("my own words");
  await settled();
});

test("a picture switches to Image to Video and is sent with the draft only there", async () => {
  form.setPicture({ path: "/pictures/cat.png" });
  expect(form.draft).toMatchObject({ values: { mode: "i2v" }, image: { path: "/pictures/cat.png" } });
  form.set("mode", "t2v");
  expect(form.draft).not.toHaveProperty("image");
  await settled();
});
