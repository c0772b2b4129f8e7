// A window as narrow as a telephone: nothing lies beside the screen or is squeezed to a sliver, and the pages scroll as
// a whole.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { page } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import Header from "../../../renderer/frame/Header.svelte";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { machine } from "../../../renderer/state/machine.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { session } from "../../../renderer/state/session.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import HistoryView from "../../../renderer/views/history/HistoryView.svelte";
import QueueView from "../../../renderer/views/queue/QueueView.svelte";
import { resultsStudio, sampleDetail } from "../sample-results.ts";
import { checkOf, jobOf, ScriptedStudio } from "../scripted-studio.ts";
import ViewFrame from "./ViewFrame.svelte";

const width = 390;
beforeEach(() => page.viewport(width, 844));
afterEach(() => page.viewport(1280, 800));

/** Every control that lies partly beside the screen. */
function beside(): string[] {
  return [...document.querySelectorAll("button, a, input, textarea, video, [role=slider]")]
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 0 && (box.left < 0 || box.right > width))
    .map(({ element }) => element.outerHTML.slice(0, 100));
}

const boxOf = (selector: string) => document.querySelector(selector)!.getBoundingClientRect();

describe("with a scripted studio", () => {
  let stop = () => {};
  beforeEach(() => {
    const studio = new ScriptedStudio({
      "generate:check": ({ draft }) => checkOf(draft.values),
      "machine:state": () => ({
        machine: {
          device: { name: "A processor with a long name", kind: "cpu", totalBytes: 128e9, usedBytes: 101e9 },
          memory: { totalBytes: 128e9, freeBytes: 27e9 },
          engineBytes: 0,
          card: null,
          warm: null,
          busy: false,
        },
      }),
    });
    stop = studio.connect(jobs, machine, models, form);
  });
  afterEach(() => stop());

  test("every view, the memory and the settings are within reach of the header", async () => {
    await render(Header, { onshortcuts: () => {} });
    await expect.element(page.getByRole("link", { name: "Models" })).toBeVisible();
    await expect.element(page.getByText(/119 GB/)).toBeVisible();
    expect(beside()).toEqual([]);
    const amount = boxOf(".amount");
    expect(amount.right).toBeLessThanOrEqual(boxOf("button[aria-label^=Keyboard]").left);
  });

  test("the form of Generate is whole, over the button, and the picture keeps its place", async () => {
    session.keepView("generate.advanced", true);
    await render(ViewFrame, { view: GenerateView });
    await expect.element(page.getByText("fits · about 1.2 s")).toBeVisible();
    const fields = document.querySelector<HTMLElement>(".form")!;
    expect(fields.clientHeight).toBe(fields.scrollHeight);
    expect(boxOf(".viewer").height).toBeGreaterThan(250);
    expect(boxOf(".actions").bottom).toBeLessThanOrEqual(844);
    expect(beside()).toEqual([]);
  });

  test("waiting jobs of the queue stand under the running one, as wide", async () => {
    await render(ViewFrame, { view: QueueView });
    await expect.element(page.getByRole("heading", { name: "Waiting", exact: true })).toBeVisible();
    const [running, waiting] = ["Running", "Waiting"].map((name) =>
      page.getByRole("region", { name }).element().getBoundingClientRect(),
    );
    expect(waiting!.top).toBeGreaterThanOrEqual(running!.bottom);
    expect(waiting!.width).toBe(running!.width);
    expect(beside()).toEqual([]);
  });
});

test("waiting jobs are told apart by their prompts", async () => {
  const studio = new ScriptedStudio();
  const waiting = [1, 2].map((id) => jobOf(id, { expectedSeconds: 12, prompt: `Number ${id}: a red ball bounces` }));
  studio.queue = { ...studio.queue, waiting };
  const stop = studio.connect(jobs);
  await render(ViewFrame, { view: QueueView });
  const row = page.getByRole("group", { name: /Number 1/ });
  await expect.element(row).toBeVisible();
  const box = (locator: typeof row) => locator.element().getBoundingClientRect();
  const prompt = box(row.getByText(/Number 1/).first());
  expect(prompt.width).toBeGreaterThan(220);
  for (const second of [row.getByText("about 12 s"), row.getByRole("button", { name: "Edit" })])
    expect(box(second).top).toBeGreaterThanOrEqual(prompt.bottom);
  expect(beside()).toEqual([]);
  stop();
});

test("a result's video is as wide as the screen, over its settings", async () => {
  const { end } = resultsStudio({
    "history:find": () => ({ ids: [10, 9, 8] }),
    "history:detail": ({ jobId }) => ({ detail: sampleDetail(jobId) }),
  });
  route.go("history", 9, {}, true);
  await render(ViewFrame, { view: HistoryView });
  await expect.element(page.getByRole("heading", { name: "Prompt", exact: true }).first()).toBeInTheDocument();
  expect(boxOf("video").width).toBeGreaterThan(340);
  expect(boxOf(".right").top).toBeGreaterThanOrEqual(boxOf(".left").bottom);
  expect(beside()).toEqual([]);
  end();
});
