// The list of results in a real browser: 50,000 of them, filters, selection, keyboard, stacks, hover, the trash, and coming
// back to where one was.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import type { HistoryFilter } from "../../../../contract/channels/history.ts";
import { results } from "../../../../renderer/state/results.svelte.ts";
import { route } from "../../../../renderer/state/route.svelte.ts";
import { session } from "../../../../renderer/state/session.svelte.ts";
import { toasts } from "../../../../renderer/state/toasts.svelte.ts";
import { historyList } from "../../../../renderer/views/history/history-list.svelte.ts";
import HistoryView from "../../../../renderer/views/history/HistoryView.svelte";
import { axeFindings, settled } from "../../accessibility.ts";
import { resultsStudio, sampleCard } from "../../sample-results.ts";
import type { ScriptedStudio } from "../../scripted-studio.ts";
import ViewFrame from "../ViewFrame.svelte";

const count = 50_000;
const all = Array.from({ length: count }, (_, index) => count - index);
let studio: ScriptedStudio;
let end: () => void;
let deleted: Set<number>;

beforeEach(() => {
  deleted = new Set();
  session.reset();
  historyList.reset();
  route.go("history");
  ({ studio, end } = resultsStudio({
    "history:find": ({ filter }) => ({ ids: find(filter) }),
    "history:cards": ({ ids }) => ({
      cards: ids.map((id) =>
        sampleCard(id, { deletedAt: deleted.has(id) ? 1 : null, favourite: false, stackSize: id % 5 === 0 ? 3 : 1 }),
      ),
    }),
    "history:facets": () => ({
      models: [{ model: "demo", count }],
      states: [{ state: "done", count }],
      sizes: [{ width: 128, height: 96, count }],
      favourites: 3,
      deleted: deleted.size,
    }),
    "history:delete": ({ jobIds }) => {
      for (const id of jobIds) deleted.add(id);
      queueMicrotask(() => studio.say({ kind: "history:changed", jobIds: null }));
      return { jobIds };
    },
    "history:restore": ({ jobIds }) => {
      for (const id of jobIds) deleted.delete(id);
      queueMicrotask(() => studio.say({ kind: "history:changed", jobIds: null }));
      return {};
    },
  }));
});
afterEach(() => {
  for (const toast of toasts.all) toasts.dismiss(toast.id);
  end();
});

function find(filter: HistoryFilter): number[] {
  if (filter.stackOf !== undefined) return variantsOf(filter.stackOf).filter((id) => !deleted.has(id));
  if (filter.deleted) return [...deleted];
  if (filter.words === "nothing") return [];
  const kept = filter.favourite ? all.slice(0, 3) : filter.words ? all.slice(0, 40) : all;
  return deleted.size === 0 ? kept : kept.filter((id) => !deleted.has(id));
}

const variantsOf = (id: number) => [id, count + id, count + id + 1];
const open = () => render(ViewFrame, { view: HistoryView });
const card = (id: number) => page.elementLocator(document.querySelector(`[data-result="${id}"]`)!);
const present = (id: number) => document.querySelector(`[data-result="${id}"]`) !== null;
const lastFilter = () => studio.requests("history:find").at(-1)?.filter;
const focusedId = () => Number((document.activeElement as HTMLElement | null)?.dataset["result"]);

describe("50,000 results", () => {
  test("only those in sight are there, asked for and kept in memory; scrolling far asks for little", async () => {
    await open();
    await expect.poll(() => present(count)).toBe(true);
    await expect.element(page.getByText("50,000 stacks")).toBeInTheDocument();
    expect(document.querySelectorAll("[data-result]").length).toBeLessThan(150);
    const scroller = scrollerOf();
    const before = studio.requests("history:cards").flatMap(({ ids }) => ids).length;
    // Flying past: many places, none of which is rested at.
    for (let part = 1; part <= 30; part++) {
      scroller.scrollTop = (scroller.scrollHeight * part) / 31;
      await new Promise(requestAnimationFrame);
    }
    scroller.scrollTop = scroller.scrollHeight;
    await expect.poll(() => present(1), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => results.card(1)?.id, { timeout: 30_000 }).toBe(1);
    const asked = studio.requests("history:cards").flatMap(({ ids }) => ids).length - before;
    expect(asked).toBeLessThan(1500);
    expect(document.querySelectorAll("[data-result]").length).toBeLessThan(150);
    expect(document.querySelectorAll("img").length).toBeLessThan(150);
  });

  test("coming back from a result finds the same place and filters", async () => {
    await open();
    await expect.poll(() => present(count)).toBe(true);
    const scroller = scrollerOf();
    scroller.scrollTop = scroller.scrollHeight / 2;
    await expect.poll(() => historyList.top !== null && historyList.top < count - 1000, { timeout: 30_000 }).toBe(true);
    const chosen = historyList.top!;
    await expect.poll(() => present(chosen)).toBe(true);
    await expect.poll(() => results.card(chosen)?.id).toBe(chosen);
    (document.querySelector(`[data-result="${chosen}"]`) as HTMLElement).click();
    await expect.element(page.getByRole("heading", { name: `Result ${chosen}` })).toBeInTheDocument();
    await page.getByRole("button", { name: "Back to the history" }).click();
    await expect.poll(() => present(chosen), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => focusedId(), { timeout: 30_000 }).toBe(chosen);
  });
});

describe("filters", () => {
  test("words are asked for once the typing rests; / and Ctrl+F reach the field", async () => {
    await open();
    await expect.poll(() => present(count)).toBe(true);
    await userEvent.keyboard("/");
    const field = page.getByRole("textbox", { name: "Search the prompts" });
    await expect.element(field).toHaveFocus();
    const before = studio.requests("history:find").length;
    await userEvent.keyboard("boat sea");
    await expect.element(page.getByText("40 results")).toBeInTheDocument();
    expect(lastFilter()).toMatchObject({ words: "boat sea", states: ["done", "failed", "cancelled"], stacked: true });
    expect(studio.requests("history:find").length - before).toBeLessThan(8);
    await field.fill("nothing");
    await expect.element(page.getByRole("heading", { name: "Nothing matches" })).toBeInTheDocument();
    await page.getByRole("button", { name: "Clear filters" }).last().click();
    await expect.element(page.getByText("50,000 stacks")).toBeInTheDocument();
    (document.activeElement as HTMLElement).blur();
    await userEvent.keyboard("{Control>}f{/Control}");
    await expect.element(field).toHaveFocus();
  });

  test("state, size, favourites, stacks and trash go into the question", async () => {
    await open();
    await expect.poll(() => present(count)).toBe(true);
    await page.getByRole("button", { name: "Favourites" }).click();
    await expect.poll(() => lastFilter()?.favourite).toBe(true);
    await expect.poll(() => historyList.ids.length).toBe(3);
    await page.getByRole("combobox", { name: "Size" }).click();
    await page.getByRole("option", { name: /128 × 96/ }).click();
    await expect.poll(() => lastFilter()).toMatchObject({ width: 128, height: 96, favourite: true });
    await page.getByRole("combobox", { name: "State" }).click();
    await page.getByRole("option", { name: /Failed/ }).click();
    await expect.poll(() => lastFilter()?.states).toEqual(["failed"]);
    await page.getByRole("combobox", { name: "Made" }).click();
    await page.getByRole("option", { name: /Last 7 days/ }).click();
    await expect.poll(() => (lastFilter()?.from ?? 0) > Date.now() - 8 * 24 * 3600_000).toBe(true);
    await page.getByRole("button", { name: "Stack variants" }).click();
    await expect.poll(() => lastFilter()?.stacked).toBe(false);
    await page.getByRole("button", { name: "Trash" }).click();
    await expect.poll(() => lastFilter()?.deleted).toBe(true);
    expect(session.view("history.list", {})).toMatchObject({ state: "failed", date: "week", favourites: true });
  });

  test("a stack unfolds its variants behind it and folds again", async () => {
    await open();
    await expect.poll(() => results.card(count)?.stackSize).toBe(3);
    await page.getByRole("button", { name: "Show 3 variants" }).first().click();
    await expect.poll(() => historyList.ids.slice(0, 4)).toEqual([count, 2 * count, 2 * count + 1, count - 1]);
    expect(lastFilter()).toMatchObject({ stackOf: count, stacked: false });
    await expect.poll(() => present(2 * count + 1)).toBe(true);
    (document.querySelector(`[data-result="${2 * count}"]`) as HTMLElement).focus();
    await userEvent.keyboard(" ");
    expect([...historyList.selection]).toEqual([2 * count]);
    await page.getByRole("button", { name: "Fold the variants" }).click();
    await expect.poll(() => historyList.ids.slice(0, 2)).toEqual([count, count - 1]);
    expect([...historyList.selection]).toEqual([]); // what is out of sight is not to be deleted
  });

  test("a variant that is deleted leaves its unfolded stack, and Undo brings it back", async () => {
    await open();
    await expect.poll(() => results.card(count)?.stackSize).toBe(3);
    await page.getByRole("button", { name: "Show 3 variants" }).first().click();
    await expect.poll(() => present(2 * count)).toBe(true);
    (document.querySelector(`[data-result="${2 * count}"]`) as HTMLElement).focus();
    await userEvent.keyboard("{Delete}");
    await expect.poll(() => historyList.ids.slice(0, 3)).toEqual([count, 2 * count + 1, count - 1]);
    await expect.poll(() => present(2 * count)).toBe(false);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => historyList.ids.slice(0, 4)).toEqual([count, 2 * count, 2 * count + 1, count - 1]);
    // Without its first one it is another stack.
    (document.querySelector(`[data-result="${count}"]`) as HTMLElement).focus();
    await userEvent.keyboard("{Delete}");
    await expect.poll(() => historyList.ids.slice(0, 2)).toEqual([count - 1, count - 2]);
    expect(historyList.isUnfolded(count)).toBe(false);
  });
});

describe("selection and keyboard", () => {
  test("arrows move, Space selects, Shift extends, Escape ends, Enter opens", async () => {
    await open();
    await expect.poll(() => present(count)).toBe(true);
    (document.querySelector(`[data-result="${count}"]`) as HTMLElement).focus();
    await userEvent.keyboard("{ArrowRight}");
    await expect.poll(() => focusedId()).toBe(count - 1);
    await userEvent.keyboard(" ");
    expect([...historyList.selection]).toEqual([count - 1]);
    await userEvent.keyboard("{Shift>}{ArrowRight}{/Shift}");
    await expect.poll(() => [...historyList.selection]).toEqual([count - 1, count - 2]);
    await expect.element(page.getByText("2 selected")).toBeInTheDocument();
    await userEvent.keyboard("{End}");
    await expect.poll(() => focusedId(), { timeout: 30_000 }).toBe(1);
    await userEvent.keyboard("{Escape}");
    expect(historyList.selection.size).toBe(0);
    await userEvent.keyboard("{Home}");
    await expect.poll(() => focusedId(), { timeout: 30_000 }).toBe(count);
    await userEvent.keyboard("{Enter}");
    await expect.poll(() => route.detailNumber).toBe(count);
  });

  test("Ctrl and Shift with a click; two can be compared", async () => {
    await open();
    await expect.poll(() => results.card(count)?.id).toBe(count);
    await card(count - 2).click({ modifiers: ["Control"] });
    expect([...historyList.selection]).toEqual([count - 2]);
    await expect.element(page.getByRole("button", { name: "Compare" })).toBeDisabled();
    await card(count).click({ modifiers: ["Shift"] });
    await expect.poll(() => historyList.selection.size).toBe(3);
    // While something is selected, a click selects too.
    await card(count - 1).click();
    expect([...historyList.selection].sort()).toEqual([count - 2, count]);
    await page.getByRole("button", { name: "Compare" }).click();
    await expect.poll(() => [route.view, route.numbers("ids").sort()]).toEqual(["compare", [count - 2, count]]);
    expect(historyList.selection.size).toBe(0);
  });

  test("deleting takes them away and Undo brings them back; F marks", async () => {
    await open();
    await expect.poll(() => results.card(count)?.id).toBe(count);
    (document.querySelector(`[data-result="${count}"]`) as HTMLElement).focus();
    await userEvent.keyboard("f");
    await expect.poll(() => studio.requests("history:favourite")).toEqual([{ jobIds: [count], favourite: true }]);
    await userEvent.keyboard("{Delete}");
    await expect.poll(() => present(count)).toBe(false);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => present(count)).toBe(true);
    expect(studio.requests("history:restore")).toEqual([{ jobIds: [count] }]);
  });

  test("after deleting, the keyboard goes on at the neighbour", async () => {
    await open();
    await expect.poll(() => results.card(count)?.id).toBe(count);
    (document.querySelector(`[data-result="${count - 1}"]`) as HTMLElement).focus();
    await userEvent.keyboard("{Delete}");
    await expect.poll(() => present(count - 1)).toBe(false);
    await expect.poll(() => focusedId()).toBe(count - 2);
    await userEvent.keyboard("{ArrowRight}");
    await expect.poll(() => focusedId()).toBe(count - 3);
    // Of several, the one behind the last.
    await userEvent.keyboard(" {Shift>}{ArrowRight}{/Shift}{Delete}");
    await expect.poll(() => present(count - 4)).toBe(false);
    await expect.poll(() => focusedId()).toBe(count - 5);
    await userEvent.keyboard("{ArrowLeft}");
    await expect.poll(() => focusedId()).toBe(count - 2);
  });

  test("after deleting what was selected, Shift selects from where the keyboard is", async () => {
    await open();
    await expect.poll(() => results.card(count)?.id).toBe(count);
    (document.querySelector(`[data-result="${count - 1}"]`) as HTMLElement).focus();
    await userEvent.keyboard(" {Delete}");
    await expect.poll(() => present(count - 1)).toBe(false);
    await expect.poll(() => focusedId()).toBe(count - 2);
    await userEvent.keyboard("{Shift>}{ArrowRight}{/Shift}");
    await expect.poll(() => [...historyList.selection]).toEqual([count - 2, count - 3]);
  });

  test("the trash: put back, and remove for good after a question", async () => {
    deleted = new Set([7, 8]);
    await open();
    await page.getByRole("button", { name: "Trash" }).click();
    await expect.poll(() => results.card(7)?.deletedAt).toBe(1);
    await card(7).click({ modifiers: ["Control"] });
    await page.getByRole("button", { name: "Put back" }).click();
    await expect.poll(() => studio.requests("history:restore")).toEqual([{ jobIds: [7] }]);
    await expect.poll(() => historyList.ids).toEqual([8]);
    await page.getByRole("button", { name: "Empty the trash" }).click();
    expect(studio.requests("history:purge")).toEqual([]);
    await page.getByRole("alertdialog").getByRole("button", { name: "Empty the trash" }).click();
    await expect.poll(() => studio.requests("history:purge")).toEqual([{ jobIds: [8] }]);
  });
});

describe("the pictures", () => {
  test("the video plays, muted, once the pointer has rested on it, and is let go when it leaves", async () => {
    await open();
    await expect.poll(() => results.card(count)?.id).toBe(count);
    await card(count).hover();
    await expect.poll(() => document.querySelector("video")?.paused, { timeout: 30_000 }).toBe(false);
    const video = document.querySelector("video")!;
    expect(video.muted).toBe(true);
    await page.getByRole("textbox").hover();
    await expect.poll(() => document.querySelector("video")).toBeNull();
    expect(video.getAttribute("src")).toBeNull();
  });

  test("a poster that is not there says so", async () => {
    studio.answers["history:find"] = () => ({ ids: [199] });
    await open();
    await expect.element(page.getByText("No video")).toBeInTheDocument();
  });
});

test.each(["dark", "light"])("nothing for axe to find (%s)", async (theme) => {
  document.documentElement.dataset["theme"] = theme;
  await open();
  await expect.poll(() => results.card(count)?.id).toBe(count);
  await settled();
  expect(await axeFindings(document.querySelector("main")!)).toEqual([]);
  await card(count).click({ modifiers: ["Control"] });
  await settled();
  expect(await axeFindings(document.querySelector("main")!)).toEqual([]);
});

function scrollerOf(): HTMLElement {
  const group = document.querySelector<HTMLElement>("[aria-label='Results, newest first']")!;
  return group.scrollHeight > group.clientHeight ? group : (group.firstElementChild as HTMLElement);
}
