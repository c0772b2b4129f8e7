// Which result the viewer shows: what ended last, also where that was while another view was shown or the connection was
// lost, unless an older one was picked meanwhile.
import { beforeEach, expect, test, vi } from "vitest";
import { page } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { videoUrl } from "../../../contract/channels/media.ts";
import type { JobState } from "../../../contract/job.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { sampleCard } from "../sample-results.ts";
import { detailOf, jobOf, ScriptedStudio } from "../scripted-studio.ts";

const memory = {
  code: "memory.exhausted",
  sentence: "There is not enough memory for this run.",
  advice: "Use a smaller size.",
  detail: "",
} as const;

let studio: ScriptedStudio;

beforeEach(() => {
  studio = new ScriptedStudio({
    "history:find": ({ filter: { states, from } }) => ({
      ids: studio.details
        .filter(
          ({ state, createdAt, deletedAt }) =>
            deletedAt === null && (states?.includes(state) ?? true) && createdAt >= (from ?? 0),
        )
        .map(({ id }) => id),
    }),
    "queue:retry": ({ jobId }) => {
      const job = jobOf(jobId, { startedAt: 1 });
      studio.queue = { ...studio.queue, waiting: [job] };
      studio.details = studio.details.map((each) =>
        each.id === jobId ? detailOf(jobId, { ...job, video: null }) : each,
      );
      studio.say({ kind: "job:changed", jobId, state: "queued", note: "" });
      studio.say({ kind: "history:changed", jobIds: [jobId] });
      return { job };
    },
    "history:cards": ({ ids }) => ({
      cards: studio.details
        .filter(({ id }) => ids.includes(id))
        .map(({ id, state, createdAt }) => sampleCard(id, { state, createdAt })),
    }),
  });
  return studio.connect(jobs, liveJob, models, form);
});

/** The Generate view with this video in it. */
async function openWith(jobId: number) {
  const screen = await render(GenerateView);
  await shows(jobId);
  return screen;
}

const shows = (jobId: number) =>
  expect.poll(() => document.querySelector("video")?.getAttribute("src")).toBe(videoUrl(jobId));

async function begin(id: number) {
  studio.queue = { ...studio.queue, running: jobOf(id, { state: "running", startedAt: Date.now() }), waiting: [] };
  studio.say({ kind: "job:changed", jobId: id, state: "running", note: "" });
  await vi.waitFor(() => expect(jobs.running?.id).toBe(id), { timeout: 30_000 });
}

/** The running job ends; `heard`: the window is told. */
async function end(id: number, state: JobState = "done", heard = true) {
  const failed = state === "failed" ? { video: null, error: memory } : {};
  studio.details = [detailOf(id, { state, ...failed }), ...studio.details.filter((each) => each.id !== id)];
  studio.queue = { ...studio.queue, running: null };
  if (!heard) return studio.lose();
  studio.say({ kind: "job:changed", jobId: id, state, note: "" });
  await vi.waitFor(() => expect(jobs.running).toBeNull(), { timeout: 30_000 });
}

test("a video that was finished while another view was shown is there on the way back", async () => {
  studio.details = [detailOf(1)];
  const { unmount } = await openWith(1);
  await begin(2);
  await unmount();
  await end(2);
  await openWith(2);
});

test("so is a failure, and a job that ran again", async () => {
  studio.details = [detailOf(12), detailOf(11)];
  await begin(13);
  await end(13);
  const { unmount } = await openWith(13);
  await unmount();
  await begin(14);
  await end(14, "failed");
  const again = await render(GenerateView);
  await expect.element(page.getByText("Use a smaller size.")).toBeVisible();
  await again.unmount();
  await begin(14);
  await end(14);
  await openWith(14);
});

test("one that was deleted meanwhile gives way to the latest that is there", async () => {
  studio.details = [detailOf(16), detailOf(15)];
  await begin(17);
  await end(17);
  studio.details = studio.details.map((each) => (each.id === 17 ? { ...each, deletedAt: 1 } : each));
  await openWith(16);
});

test("an older one that was picked while the job ran stays", async () => {
  studio.details = [detailOf(22), detailOf(21)];
  await begin(23);
  await end(23);
  const { unmount } = await openWith(23);
  await begin(24);
  await expect.poll(() => document.querySelector('[data-strip="21"]')).not.toBeNull();
  document.querySelector<HTMLElement>('[data-strip="21"]')!.click();
  await shows(21);
  await unmount();
  await end(24);
  await openWith(21);
});

test("one that was picked gives way to what is made afterwards, and to nothing else", async () => {
  studio.details = [detailOf(32), detailOf(31)];
  await begin(33);
  await end(33);
  const first = await openWith(33);
  await expect.poll(() => document.querySelector('[data-strip="31"]')).not.toBeNull();
  document.querySelector<HTMLElement>('[data-strip="31"]')!.click();
  await shows(31);
  await first.unmount();
  const second = await openWith(31);
  await second.unmount();
  await begin(34);
  await end(34);
  await openWith(34);
});

test("what ended while the connection was lost is shown when it is back", async () => {
  studio.details = [detailOf(42)];
  await begin(43);
  await end(43);
  await openWith(43);
  await begin(44);
  await end(44, "failed", false);
  studio.say({ kind: "models:changed" });
  await expect.element(page.getByText("Use a smaller size.")).toBeVisible();
  // Another program's job of which nothing was heard at all.
  studio.lose();
  studio.details = [detailOf(45, { createdAt: Date.now() + 1000 }), ...studio.details];
  studio.say({ kind: "models:changed" });
  await shows(45);
});

const viewer = () => page.getByRole("region", { name: "Viewer" });

test("a failed job that is tried again while the queue is paused waits, and the way to the queue is there", async () => {
  studio.queue = { ...studio.queue, paused: true };
  studio.details = [detailOf(51, { state: "failed", video: null, error: memory })];
  await begin(52);
  await end(52, "failed");
  await render(GenerateView);
  await viewer().getByRole("button", { name: "Try again" }).click();
  await expect.element(viewer().getByRole("heading", { name: "Waiting" })).toBeVisible();
  await expect.element(viewer().getByText("The queue is paused.")).toBeVisible();
  await expect.element(viewer().getByRole("link", { name: "Open the queue" })).toHaveAttribute("href", "#/queue");
  expect(viewer().getByRole("button", { name: "Continue" }).elements()).toEqual([]);
});

test("an older one that is picked is shown at once, also while a job is about to begin", async () => {
  studio.details = [detailOf(62), detailOf(61)];
  await begin(63);
  await end(63, "failed");
  await render(GenerateView);
  await viewer().getByRole("button", { name: "Try again" }).click();
  await expect.element(viewer().getByText("Starting").first()).toBeVisible();
  await expect.poll(() => document.querySelector('[data-strip="61"]')).not.toBeNull();
  document.querySelector<HTMLElement>('[data-strip="61"]')!.click();
  await shows(61);
});
