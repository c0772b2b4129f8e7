// Undo in a message takes back what the message names, whatever was done since.
import { beforeEach, expect, test } from "vitest";
import { page } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { detailOf, ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;

beforeEach(async () => {
  studio = new ScriptedStudio();
  studio.details = [detailOf(1)];
  form.replace({ prompt: "a ball" }, null, null);
  for (const { id } of toasts.all) toasts.dismiss(id);
  const stop = studio.connect(jobs, liveJob, models, form);
  await render(GenerateView);
  await expect.element(page.getByText("fits · about 1.2 s")).toBeVisible();
  return stop;
});

const useSeed = () => page.getByRole("button", { name: "Use seed" }).click();
const undoLast = () => toasts.all.at(-1)!.action!.run();

test("Use seed gives back the earlier seed, not what was typed since", async () => {
  form.set("seed", 3);
  await useSeed();
  expect(form.values).toEqual({ prompt: "a ball", seed: 7 });
  form.set("prompt", "a ball and more words");
  undoLast();
  expect(form.values).toEqual({ prompt: "a ball and more words", seed: 3 });
});

test("where the seed is the same already nothing is said, and nothing can be undone by it", async () => {
  await useSeed();
  await useSeed();
  expect(toasts.all).toHaveLength(1);
  undoLast();
  expect(form.values).toEqual({ prompt: "a ball" });
  undoLast();
  expect(form.values).toEqual({ prompt: "a ball" });
});

test("a seed that was chosen after it is left alone", async () => {
  await useSeed();
  form.set("seed", 42);
  undoLast();
  expect(form.value("seed")).toBe(42);
});

test("a reset gives back the settings that it reset", async () => {
  form.set("numSteps", 2);
  form.set("ode", true);
  await page.getByRole("button", { name: "Reset 2 changed settings" }).click();
  form.set("prompt", "a square");
  form.set("ode", false);
  undoLast();
  expect(form.values).toEqual({ prompt: "a square", numSteps: 2, ode: false });
  // It was one change like any other.
  form.undo();
  expect(form.values).toEqual({ prompt: "a square", ode: false });
});
