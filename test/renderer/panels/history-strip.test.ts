// The strip of latest results: 50,000 of them, chosen by click and by keys, new ones in front.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { results } from "../../../renderer/state/results.svelte.ts";
import HistoryStrip from "../../../renderer/panels/HistoryStrip.svelte";
import { axeFindings } from "../accessibility.ts";
import { resultsStudio, sampleCard } from "../sample-results.ts";
import type { ScriptedStudio } from "../scripted-studio.ts";

const count = 50_000;
let ids: number[];
let studio: ScriptedStudio;
let end: () => void;
beforeEach(() => {
  results.forget();
  ids = Array.from({ length: count }, (_, index) => count - index);
  ({ studio, end } = resultsStudio({ "history:find": () => ({ ids }) }));
});
afterEach(() => end());

const cell = (id: number) => document.querySelector<HTMLElement>(`[data-strip="${id}"]`);
const focused = () => Number((document.activeElement as HTMLElement | null)?.dataset["strip"]);

async function open(selected: number | null = null) {
  const onselect = vi.fn();
  const { container } = await render(HistoryStrip, { selected, onselect });
  (container as HTMLElement).style.height = "110px";
  await expect.poll(() => results.card(count)?.id, { timeout: 30_000 }).toBe(count);
  return onselect;
}

test("only what is in sight exists; a click and Enter choose", async () => {
  const onselect = await open(count - 1);
  expect(document.querySelectorAll("[data-strip]").length).toBeLessThan(40);
  expect(cell(count - 1)?.getAttribute("aria-current")).toBe("true");
  await page.elementLocator(cell(count - 2)!).click();
  expect(onselect).toHaveBeenLastCalledWith(count - 2);
  await userEvent.keyboard("{ArrowRight}");
  await expect.poll(focused).toBe(count - 3);
  await userEvent.keyboard("{Enter}");
  expect(onselect).toHaveBeenLastCalledWith(count - 3);
  await userEvent.keyboard("{End}");
  await expect.poll(focused, { timeout: 30_000 }).toBe(1);
  await expect.poll(() => results.card(1)?.id, { timeout: 30_000 }).toBe(1);
  await userEvent.keyboard("{Home}");
  await expect.poll(focused, { timeout: 30_000 }).toBe(count);
  expect(studio.requests("history:cards").flatMap(({ ids: asked }) => asked).length).toBeLessThan(400);
});

test("a cell has the shape of its picture", async () => {
  const shapes: Record<number, object> = {
    [count]: { width: 128, height: 128 },
    [count - 1]: { width: 832, height: 480 },
    [count - 2]: { width: 480, height: 832 },
  };
  studio.answers["history:cards"] = ({ ids: asked }) => ({
    cards: asked.map((id) => sampleCard(id, shapes[id] ?? {})),
  });
  await open();
  const shape = (id: number) => cell(id)!.clientWidth / cell(id)!.clientHeight;
  await expect.poll(() => shape(count)).toBeCloseTo(1, 1);
  await expect.poll(() => shape(count - 1)).toBeCloseTo(832 / 480, 1);
  await expect.poll(() => shape(count - 2)).toBeCloseTo(480 / 832, 1);
  expect(getComputedStyle(cell(count)!).backgroundColor).not.toBe("rgb(5, 6, 7)");
});

test("new results come in front", async () => {
  await open();
  ids = [count + 1, ...ids];
  studio.say({ kind: "history:changed", jobIds: [count + 1] });
  await expect.poll(() => cell(count + 1) !== null, { timeout: 30_000 }).toBe(true);
});

test("nothing for axe to find", async () => {
  await open(count);
  expect(await axeFindings()).toEqual([]);
});
