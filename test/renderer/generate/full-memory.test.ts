// What the Generate view shows of a job that filled the memory: how it goes on, and the change that would have fitted.
import { page } from "vitest/browser";
import { beforeEach, describe, expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import type { HistoryDetail } from "../../../contract/channels/history.ts";
import { defaultSettings } from "../../../contract/settings/derive.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { checkOf, detailOf, jobOf, ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;
const gigabyte = 2 ** 30;

beforeEach(() => {
  studio = new ScriptedStudio({
    "generate:check": ({ draft }) => checkOf(draft.values),
    "queue:add": ({ drafts }) => ({ jobs: drafts.map((_, index) => jobOf(index + 1)) }),
    "queue:retry": ({ jobId }) => ({ job: jobOf(jobId) }),
  });
  form.replace({}, null, null);
  const stop = studio.connect(jobs, liveJob, models, form);
  return () => {
    stop();
    route.go("generate");
  };
});

test("a running job says that its plan was lowered, in the language of the window", async () => {
  const lowered = {
    changes: ["streamWeights" as const],
    neededBytes: 9.1 * gigabyte,
    freeBytes: 7.8 * gigabyte,
    deviceName: "A card",
    limitBytes: 7.8 * gigabyte,
    values: {},
  };
  studio.queue = {
    ...studio.queue,
    running: jobOf(7, { state: "running", startedAt: Date.now(), lowered }),
    waiting: [],
  };
  await render(GenerateView);
  studio.say({ kind: "job:changed", jobId: 7, state: "running", note: "" });
  await expect
    .element(
      page.getByText("The card was full (needs 9.1 GB, 7.8 GB free); going on with blocks streamed from memory."),
    )
    .toBeVisible();
  await text.choose("zh");
  await expect
    .element(page.getByText("显存已满（需要 9.1 GB，可用 7.8 GB）；继续生成：从内存逐块传送权重。"))
    .toBeVisible();
  await text.choose("en");
});

describe("a job that no plan fits", () => {
  async function openFailed(fix: HistoryDetail["fix"]) {
    const error = { code: "memory.exhausted", sentence: "It needs 21 GB.", advice: "Less.", detail: "" } as const;
    const settings = { ...defaultSettings(), seed: 33, width: 128, height: 128 };
    studio.details = [detailOf(5, { state: "failed", video: null, seed: 33, settings, error, fix })];
    await render(GenerateView);
    studio.say({ kind: "job:changed", jobId: 5, state: "failed", note: "" });
  }

  test("is made again with fewer frames and the same seed", async () => {
    await openFailed({ id: "fewerFrames", values: { numFrames: 49 }, peakBytes: 4.5 * gigabyte });
    await page.getByRole("button", { name: "Make 49 frames (4.5 GB)" }).click();
    await expect
      .poll(() => studio.requests("queue:add")[0]?.drafts[0]?.values)
      .toMatchObject({ numFrames: 49, seed: 33 });
  });

  test("goes on from its last step without its budget", async () => {
    await openFailed({ id: "removeBudget", values: { memoryBudget: 0 }, peakBytes: 4.5 * gigabyte });
    await page.getByRole("button", { name: "Lift the memory budget (4.5 GB)" }).click();
    await expect.poll(() => studio.requests("queue:retry")).toEqual([{ jobId: 5, withoutBudget: true }]);
  });
});
