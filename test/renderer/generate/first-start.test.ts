// The very first moments: nothing is offered that would be exchanged when the studio has answered. A file of its own, as
// the form of a page remembers its last answer.
import { page } from "vitest/browser";
import { expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { session } from "../../../renderer/state/session.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import ViewFrame from "../views/ViewFrame.svelte";
import { checkOf, ScriptedStudio } from "../scripted-studio.ts";

test("no example is offered before it is known which model there is", async () => {
  const answers: (() => void)[] = [];
  const studio = new ScriptedStudio({
    "generate:check": ({ draft }) => new Promise((resolve) => answers.push(() => resolve(checkOf(draft.values)))),
  });
  const stop = studio.connect(jobs, models, form);
  await render(ViewFrame, { view: GenerateView });
  await expect.element(page.getByRole("heading", { name: "Make your first video" })).toBeVisible();
  await expect.poll(() => answers.length).toBeGreaterThan(0);
  const examples = () => page.getByRole("button", { name: /^Use this prompt/ }).elements();
  expect(form.check).toBeNull();
  expect(examples()).toHaveLength(0);
  expect(page.getByText(/begin with one of these/).query()).toBeNull();
  // What is not known yet is no value that would be exchanged for another one.
  for (const name of ["480p", "128×128", "Custom"]) expect(page.getByRole("radio", { name }).query()).toBeNull();
  expect(page.getByRole("slider", { name: "Frames" }).query()).toBeNull();
  const title = () =>
    page.getByRole("heading", { name: "Make your first video" }).element().getBoundingClientRect().top;
  const seed = () => page.getByRole("group", { name: "Seed" }).element().getBoundingClientRect().top;
  const before = [title(), seed()];
  for (const answer of answers) answer();
  await expect.poll(() => examples().length).toBe(3);
  await expect.element(page.getByText(/begin with one of these/)).toBeVisible();
  await expect.element(page.getByRole("radio", { name: "128×128" })).toBeChecked();
  // Nothing else moves when it comes.
  for (const [index, top] of [title(), seed()].entries()) expect(Math.abs(top - before[index]!)).toBeLessThan(2);
  // A sentence alone begins no Image to Video: what makes a good picture is said in their place.
  await page.getByRole("radio", { name: "Image to Video" }).click();
  await expect.element(page.getByText(/Choose a picture, and say what happens next/)).toBeVisible();
  await expect.element(page.getByText(/A frame of a video made from a sentence is a good beginning/)).toBeVisible();
  expect(examples()).toHaveLength(0);
  stop();
});

test("the advanced settings are folded, with what was changed beside their title, until they are unfolded for good", async () => {
  const studio = new ScriptedStudio();
  session.reset();
  form.replace({ numSteps: 2 }, null, null);
  let stop = studio.connect(jobs, models, form);
  const screen = await render(ViewFrame, { view: GenerateView });
  const fold = page.getByRole("button", { name: "Advanced Settings" });
  await expect.element(fold).toHaveAttribute("aria-expanded", "false");
  await expect.element(page.getByText("1 changed ·")).toBeVisible();
  await fold.click();
  await expect.element(fold).toHaveAttribute("aria-expanded", "true");
  await expect.poll(() => studio.session.views).toHaveProperty(["generate.advanced"], true);
  // As after loading the page again.
  await screen.unmount();
  stop();
  session.reset();
  const { session: kept } = studio;
  const next = new ScriptedStudio();
  next.session = kept;
  stop = next.connect(jobs, models, form);
  await render(ViewFrame, { view: GenerateView });
  await expect.element(fold).toHaveAttribute("aria-expanded", "true");
  stop();
});
