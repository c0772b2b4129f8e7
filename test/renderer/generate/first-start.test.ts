// The very first moments: nothing is offered that would be exchanged when the studio has answered. A file of its own, as
// the form of a page remembers its last answer.
import { page } from "vitest/browser";
import { expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { checkOf, ScriptedStudio } from "../scripted-studio.ts";

test("no example is offered before it is known which model there is", async () => {
  const answers: (() => void)[] = [];
  const studio = new ScriptedStudio({
    "generate:check": ({ draft }) => new Promise((resolve) => answers.push(() => resolve(checkOf(draft.values)))),
  });
  const stop = studio.connect(jobs, models, form);
  await render(GenerateView);
  await expect.element(page.getByRole("heading", { name: "Make your first video" })).toBeVisible();
  await expect.poll(() => answers.length).toBeGreaterThan(0);
  const examples = () => page.getByRole("button", { name: /^Use this prompt/ }).elements();
  expect(form.check).toBeNull();
  expect(examples()).toHaveLength(0);
  for (const answer of answers) answer();
  await expect.poll(() => examples().length).toBe(3);
  // A sentence alone begins no Image to Video: what makes a good picture is said in their place.
  await page.getByRole("radio", { name: "Image to Video" }).click();
  await expect.element(page.getByText(/Choose a picture, and say what happens next/)).toBeVisible();
  await expect.element(page.getByText(/A frame of a video made from a sentence is a good beginning/)).toBeVisible();
  expect(examples()).toHaveLength(0);
  stop();
});
