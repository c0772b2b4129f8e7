// The window as a whole: the keyboard's place when the view changes.
import { page, userEvent } from "vitest/browser";
import { beforeEach, expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import App from "../../renderer/App.svelte";
import { form } from "../../renderer/state/form.svelte.ts";
import { jobs } from "../../renderer/state/jobs.svelte.ts";
import { models } from "../../renderer/state/models.svelte.ts";
import { route } from "../../renderer/state/route.svelte.ts";
import { historyList } from "../../renderer/views/history/history-list.svelte.ts";
import { resultsStudio } from "./sample-results.ts";
import { checkOf } from "./scripted-studio.ts";

const main = () => page.getByRole("main");
const focused = () => document.activeElement;

beforeEach(async () => {
  route.go("generate");
  historyList.reset();
  form.replace({}, null, null);
  const { studio, end } = resultsStudio({
    "generate:check": ({ draft }) => checkOf(draft.values),
    "history:find": () => ({ ids: [3, 2, 1] }),
  });
  const stop = studio.connect(jobs, models, form, route);
  const { container } = await render(App);
  (container as HTMLElement).style.height = "100vh";
  await expect.element(page.getByRole("textbox", { name: "Prompt" })).toBeVisible();
  return () => {
    stop();
    end();
    route.go("generate");
  };
});

test("a view that is gone to by its keys is announced: the focus is on its area", async () => {
  await page.getByRole("textbox", { name: "Prompt" }).click();
  await userEvent.keyboard("{Alt>}2{/Alt}");
  await expect.element(page.getByRole("heading", { name: "Waiting", exact: true })).toBeVisible();
  await expect.element(main()).toHaveFocus();
  await expect.element(main()).toHaveAccessibleName("Queue");
});

test("a result that is opened, and the way back, leave the focus in the view", async () => {
  await userEvent.keyboard("{Alt>}3{/Alt}");
  await expect.poll(() => document.querySelector("[data-result='3']")).not.toBeNull();
  document.querySelector<HTMLElement>("[data-result='3']")!.focus();
  await userEvent.keyboard("{Enter}");
  await expect.poll(() => route.detailNumber).toBe(3);
  await expect.poll(() => focused() !== document.body && main().element().contains(focused())).toBe(true);
  await page.getByRole("button", { name: "Back to the history" }).click();
  await expect.poll(() => document.querySelector("[data-result='3']")).not.toBeNull();
  await expect.poll(() => focused() !== document.body && main().element().contains(focused())).toBe(true);
});

test("a link of the header keeps the focus that it has", async () => {
  await page.getByRole("link", { name: /^Models/ }).click();
  await expect.poll(() => route.view).toBe("models");
  await new Promise(requestAnimationFrame);
  await expect.element(page.getByRole("link", { name: /^Models/ })).toHaveFocus();
});

test("keys do nothing to the view behind a dialog; Escape closes it", async () => {
  form.set("numSteps", 2);
  await userEvent.keyboard("{Shift>}?{/Shift}");
  const dialog = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect.element(dialog).toBeVisible();
  await userEvent.keyboard("{Control>}z{/Control}{Alt>}2{/Alt}");
  expect([form.values.numSteps, route.view]).toEqual([2, "generate"]);
  await userEvent.keyboard("{Escape}");
  await expect.element(dialog).not.toBeInTheDocument();
  await userEvent.keyboard("{Control>}z{/Control}{Alt>}2{/Alt}");
  await expect.poll(() => route.view).toBe("queue");
  expect(form.values.numSteps).toBeUndefined();
});
