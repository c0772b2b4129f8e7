// What must be seen whole in the Generate view at the sizes windows have: nothing covers a control, no line is cut.
import { page } from "vitest/browser";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { render } from "vitest-browser-svelte";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import ViewFrame from "../views/ViewFrame.svelte";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { checkOf, detailOf, ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;
beforeEach(() => {
  studio = new ScriptedStudio({ "generate:check": ({ draft }) => checkOf(draft.values) });
  form.replace({}, null, null);
  return studio.connect(jobs, liveJob, models, form);
});
afterEach(() => page.viewport(1280, 800));

test.each([390, 1100, 1280, 1920])("at %d pixels the reset of a changed setting lies free", async (width) => {
  await page.viewport(width, 1000);
  form.set("attentionType", "sla");
  await render(ViewFrame, { view: GenerateView });
  await expect.element(page.getByText("fits · about 1.2 s")).toBeVisible();
  const field = page.getByRole("group", { name: "Attention", exact: true });
  const advanced = page.getByRole("button", { name: /^Advanced Settings/ });
  if (advanced.element().getAttribute("aria-expanded") === "false") await advanced.click();
  const reset = field.getByRole("button", { name: /^Reset Attention/ }).element();
  reset.scrollIntoView({ block: "center" });
  const box = reset.getBoundingClientRect();
  for (const x of [box.left + 2, box.left + box.width / 2, box.right - 2])
    expect(reset.contains(document.elementFromPoint(x, box.top + box.height / 2))).toBe(true);
  const control = field.getByRole("radiogroup").element().getBoundingClientRect();
  expect(control.right).toBeLessThanOrEqual(field.element().getBoundingClientRect().right + 1);
});

test.each([390, 1024, 1280, 1600])("at %d pixels the line under the player says everything", async (width) => {
  await page.viewport(width, 800);
  const stage = { attempt: 1, stage: "sample", seconds: 12, peakBytes: null } as const;
  const nothing = { plannedSeconds: null, plannedBytes: null, deviceBytes: null, plannedDeviceBytes: null };
  studio.details = [detailOf(1, { stages: [{ ...stage, ...nothing }] })];
  await render(ViewFrame, { view: GenerateView });
  await vi.waitFor(() => expect(document.querySelector(".facts span")).not.toBeNull(), { timeout: 30_000 });
  const facts = document.querySelector(".facts span")!;
  expect(facts.textContent).toMatch(/made in 12 s/);
  await expect.poll(() => facts.scrollWidth - facts.clientWidth).toBeLessThanOrEqual(0);
});

test("the deck under the picture is as high for a finished video as while one is made", async () => {
  await page.viewport(1280, 800);
  studio.details = [detailOf(1)];
  await render(ViewFrame, { view: GenerateView });
  await vi.waitFor(() => expect(document.querySelector(".facts span")).not.toBeNull(), { timeout: 30_000 });
  const deck = document.querySelector<HTMLElement>(".deck")!;
  expect(deck.scrollHeight).toBeLessThanOrEqual(Number.parseFloat(getComputedStyle(deck).minHeight) + 1);
});

describe.each(["en", "zh"] as const)("in %s", (language) => {
  beforeEach(() => text.choose(language));
  afterEach(() => text.choose("en"));

  test.each([1100, 1280, 1440])("at %d pixels the plan shows long times and large sizes whole", async (width) => {
    await page.viewport(width, 1000);
    const plan = checkOf({}).plan!;
    const seconds = [59, 158, 2132, 38_000];
    const stages = plan.stages.map((stage, index) => ({ ...stage, seconds: seconds[index]!, peakBytes: 300e9 }));
    studio.answers["generate:check"] = ({ draft }) =>
      checkOf(draft.values, { plan: { ...plan, stages, seconds: 40_349 } });
    form.set("prompt", "a red ball");
    await render(ViewFrame, { view: GenerateView });
    await expect.element(page.getByText(text.words.generate.planFits(text.seconds(40_349)))).toBeVisible();
    const fold = page.getByRole("button", { name: text.words.generate.plan, exact: true });
    if (fold.query()) await fold.click();
    await vi.waitFor(() => expect(document.querySelectorAll(".plan .time")).toHaveLength(4), { timeout: 30_000 });
    const bounds = document.querySelector(".plan")!.getBoundingClientRect();
    for (const row of document.querySelectorAll(".plan .stage")) {
      const places = [...row.children].map((part) =>
        part.textContent === "" ? part.getBoundingClientRect() : inked(part),
      );
      expect(places.at(-1)!.right).toBeLessThanOrEqual(bounds.right + 0.5);
      // Beside each other, none upon the next.
      places.slice(1).forEach(({ left }, index) => expect(left).toBeGreaterThanOrEqual(places[index]!.right - 0.5));
    }
  });
});

/** Where an element's text is drawn, which a box of a fixed width does not tell. */
function inked(element: Element): DOMRect {
  const range = document.createRange();
  range.selectNodeContents(element);
  return range.getBoundingClientRect();
}
