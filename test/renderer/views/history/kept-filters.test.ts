// The filters that the last window kept, where the history is the first thing to be shown: the list waits for them.
import { beforeEach, expect, test } from "vitest";
import { page } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import type { Session } from "../../../../contract/channels/studio.ts";
import { form } from "../../../../renderer/state/form.svelte.ts";
import { route } from "../../../../renderer/state/route.svelte.ts";
import { session } from "../../../../renderer/state/session.svelte.ts";
import { historyList } from "../../../../renderer/views/history/history-list.svelte.ts";
import HistoryView from "../../../../renderer/views/history/HistoryView.svelte";
import { resultsStudio } from "../../sample-results.ts";
import { checkOf, type ScriptedStudio } from "../../scripted-studio.ts";
import ViewFrame from "../ViewFrame.svelte";

const kept: Session = {
  values: { prompt: "a kept prompt" },
  presetId: null,
  views: { "history.list": { stacked: false, date: "week" } },
};
let studio: ScriptedStudio;
let answerSession: (answer: Session | Promise<never>) => void;

beforeEach(() => {
  session.reset();
  historyList.reset();
  route.go("history");
  const answer = new Promise<Session>((resolve) => (answerSession = resolve));
  const { studio: opened, end } = resultsStudio({
    "studio:session": () => answer,
    "generate:check": ({ draft }) => checkOf(draft.values),
    "history:find": () => ({ ids: [3, 2, 1] }),
  });
  studio = opened;
  return end;
});

const filters = () => studio.requests("history:find").map(({ filter }) => filter);

test("kept filters are in the first question, however late they come; the form finds its values too", async () => {
  const stop = form.start();
  await render(ViewFrame, { view: HistoryView });
  await expect.poll(() => studio.requests("studio:session")).toHaveLength(1);
  expect(filters()).toEqual([]);
  answerSession(kept);
  await expect.poll(() => historyList.ids).toEqual([3, 2, 1]);
  expect(filters()).toHaveLength(1);
  expect(filters()[0]).toMatchObject({ stacked: false, from: expect.any(Number) as number });
  await expect.element(page.getByRole("combobox", { name: "Made" })).toHaveTextContent("Last 7 days");
  await expect.poll(() => form.values).toEqual({ prompt: "a kept prompt" });
  expect(studio.requests("studio:session")).toHaveLength(1);
  stop();
});

test("what is chosen before they come wins", async () => {
  await render(ViewFrame, { view: HistoryView });
  await page.getByRole("button", { name: "Favourites" }).click();
  await expect.poll(() => historyList.ids).toEqual([3, 2, 1]);
  answerSession(kept);
  await expect.poll(() => session.view("history.list", {})).toMatchObject({ favourites: true, date: "any" });
  studio.say({ kind: "history:changed", jobIds: null });
  await expect.poll(() => filters().length).toBeGreaterThan(1);
  expect(filters().at(-1)).toMatchObject({ favourite: true, stacked: true });
  expect(filters().at(-1)).not.toHaveProperty("from");
});

test("where they cannot be read the list is there all the same", async () => {
  await render(ViewFrame, { view: HistoryView });
  await expect.poll(() => studio.requests("studio:session")).toHaveLength(1);
  answerSession(Promise.reject(new Error("gone")));
  await expect.poll(() => historyList.ids).toEqual([3, 2, 1]);
  expect(filters().at(-1)).toMatchObject({ stacked: true });
});
