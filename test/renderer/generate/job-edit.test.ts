// Leaving a waiting job that was changed in the form: the way back brings the changes into the form once more.
import { beforeEach, expect, test, vi } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { RushesError } from "../../../contract/errors.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { liveJob } from "../../../renderer/state/live-job.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import { goToPlace } from "../../../renderer/state/window-places.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { jobOf, ScriptedStudio } from "../scripted-studio.ts";
import ViewFrame from "../views/ViewFrame.svelte";

let studio: ScriptedStudio;

beforeEach(() => {
  studio = new ScriptedStudio({ "queue:edit": ({ jobId }) => ({ job: jobOf(jobId) }) });
  studio.queue = { ...studio.queue, waiting: [jobOf(12, { prompt: "its words" }), jobOf(13, { prompt: "others" })] };
  form.replace({ prompt: "my own words" }, null, null);
  for (const { id } of toasts.all) toasts.dismiss(id);
  const stop = studio.connect(jobs, liveJob, models, form);
  return () => {
    stop();
    route.go("generate");
  };
});

const prompt = () => page.getByRole("textbox", { name: "Prompt" });

async function edit(words: string | null) {
  route.go("generate", "", { edit: "12" });
  const screen = await render(ViewFrame, { view: GenerateView });
  await expect.element(page.getByRole("group", { name: "Editing job 12" })).toBeVisible();
  if (words !== null) await userEvent.fill(prompt(), words);
  return screen;
}

/** As the window does it when another view is asked for. */
async function leave({ unmount }: { unmount: () => Promise<void> }) {
  route.go("history");
  await unmount();
  expect(form.value("prompt")).toBe("my own words");
}

test("leaving says that the changes were not saved, and Undo goes on with them", async () => {
  await leave(await edit("better words"));
  expect(toasts.all.map((toast) => toast.text)).toEqual(["Changes to job 12 were not saved"]);
  toasts.all[0]!.action!.run();
  expect([route.view, route.query.get("edit")]).toEqual(["generate", "12"]);
  await render(GenerateView);
  await expect.element(prompt()).toHaveValue("better words");
  await page.getByRole("button", { name: "Save", exact: true }).first().click();
  await vi.waitFor(() => expect(studio.requests("queue:edit")[0]?.draft.values.prompt).toBe("better words"), {
    timeout: 30_000,
  });
  await expect.poll(() => route.view).toBe("queue");
  await expect.poll(() => form.value("prompt")).toBe("my own words");
});

test("a job that was not changed, and one that was saved, is left without a word", async () => {
  await leave(await edit(null));
  const screen = await edit("saved words");
  await page.getByRole("button", { name: "Save", exact: true }).first().click();
  await expect.poll(() => route.view).toBe("queue");
  await screen.unmount();
  expect(toasts.all.map((toast) => toast.text)).toEqual(["Job 12 was changed"]);
});

test("going on to another waiting job keeps the first one's changes apart", async () => {
  await edit("better words");
  route.go("generate", "", { edit: "13" });
  await expect.element(page.getByRole("group", { name: "Editing job 13" })).toBeVisible();
  await expect.element(prompt()).toHaveValue("others");
  toasts.all.at(-1)!.action!.run();
  await expect.element(page.getByRole("group", { name: "Editing job 12" })).toBeVisible();
  await expect.element(prompt()).toHaveValue("better words");
});

test("Undo after the same job was taken up again puts the changes over what is there", async () => {
  await leave(await edit("better words"));
  await edit("third words");
  toasts.all.at(-1)!.action!.run();
  await expect.element(prompt()).toHaveValue("better words");
  form.undo();
  await expect.element(prompt()).toHaveValue("third words");
});

test("a new form leaves the job too: its changes can be taken up again, and the own draft is a step back", async () => {
  await edit("better words");
  await userEvent.keyboard("{Alt>}n{/Alt}");
  await expect.poll(() => form.applied?.origin.kind).toBe("new");
  expect([form.values, route.query.get("edit")]).toEqual([{}, null]);
  expect(toasts.all.map((toast) => toast.text)).toEqual(["Changes to job 12 were not saved"]);
  form.undo();
  expect(form.values).toEqual({ prompt: "my own words" });
  toasts.all[0]!.action!.run();
  await expect.element(page.getByRole("group", { name: "Editing job 12" })).toBeVisible();
  await expect.element(prompt()).toHaveValue("better words");
});

test("so does a new form that the menu asks for, and one for a job that was not changed says nothing", async () => {
  await edit("better words");
  goToPlace("#new");
  await expect.poll(() => form.applied?.origin.kind).toBe("new");
  expect(toasts.all.map((toast) => toast.text)).toEqual(["Changes to job 12 were not saved"]);
  toasts.dismiss(toasts.all[0]!.id);
  route.go("generate", "", { edit: "13" });
  await expect.element(page.getByRole("group", { name: "Editing job 13" })).toBeVisible();
  goToPlace("#new");
  await expect.poll(() => form.applied?.origin.kind).toBe("new");
  expect(toasts.all).toEqual([]);
});

test("a picture counts as a change; a job that began meanwhile is said", async () => {
  const screen = await edit(null);
  form.setPicture({ path: "/pictures/cat.png" });
  await text.choose("zh");
  await leave(screen);
  await text.choose("en");
  expect(toasts.all.at(-1)?.text).toBe("对任务 12 的更改未保存");
  studio.queue = { ...studio.queue, waiting: [] };
  toasts.all.at(-1)!.action!.run();
  await render(GenerateView);
  await expect.poll(() => toasts.all.at(-1)?.text).toBe("Job 12 no longer waits, so it cannot be edited.");
  expect(form.draft).toEqual({ values: { prompt: "my own words" } });
});

test("what the studio refuses after the view was left is not lost either", async () => {
  let refuse: (error: Error) => void = () => {};
  studio.answers["queue:edit"] = () => new Promise((_, reject) => (refuse = reject));
  const screen = await edit("better words");
  await page.getByRole("button", { name: "Save", exact: true }).first().click();
  await expect.poll(() => studio.requests("queue:edit")).toHaveLength(1);
  await leave(screen);
  expect(toasts.all).toEqual([]);
  refuse(new RushesError("settings.invalid", { sentence: "The prompt is empty." }));
  await expect
    .poll(() => toasts.all.map((toast) => toast.text))
    .toEqual(["The prompt is empty.", "Changes to job 12 were not saved"]);
  expect(route.view).toBe("history");
});
