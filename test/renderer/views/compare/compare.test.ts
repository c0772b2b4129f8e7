// Comparing on real small videos: one scrub bar, wipe, difference with gain, zoom, who is A, the settings that differ.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { route } from "../../../../renderer/state/route.svelte.ts";
import { comparison } from "../../../../renderer/views/compare/comparison.svelte.ts";
import CompareView from "../../../../renderer/views/compare/CompareView.svelte";
import { axeFindings, settled } from "../../accessibility.ts";
import { greyOf } from "../../clips.ts";
import { greyShown } from "../../grey-shown.ts";
import { resultsStudio, sampleDetail } from "../../sample-results.ts";
import type { ScriptedStudio } from "../../scripted-studio.ts";
import ViewFrame from "../ViewFrame.svelte";

let studio: ScriptedStudio;
let end: () => void;
beforeEach(() => {
  comparison.clear();
  comparison.mode = "side";
  comparison.gain = 4;
  comparison.chooseZoom("fit");
  comparison.wipe = 0.5;
  ({ studio, end } = resultsStudio({
    "history:find": () => ({ ids: [8, 6, 5, 4, 2, 1] }),
    "history:detail": ({ jobId }) => {
      const detail = sampleDetail(jobId);
      const { settings } = detail;
      const changed = {
        ...settings,
        prompt: "A ball",
        sigmaMax: jobId === 1 ? 80 : 120,
        numSteps: jobId === 5 ? 2 : 4,
      };
      return { detail: { ...detail, prompt: "A ball", settings: changed, video: jobId === 4 ? null : detail.video } };
    },
  }));
});
afterEach(() => end());

async function open(...ids: number[]) {
  route.go("compare", "", ids.length === 0 ? {} : { ids: ids.join(",") }, true);
  await render(ViewFrame, { view: CompareView });
  if (ids.length > 0) await expect.poll(videos, { timeout: 30_000 }).toHaveLength(ids.length);
}
const videos = () => [...document.querySelectorAll("video")];
const ready = () => expect.poll(() => videos().every((video) => video.readyState >= 2 && !video.seeking)).toBe(true);
const near = (value: number, wanted: number, off = 5) => Math.abs(value - wanted) < off;
const greys = () => videos().map(greyShown);

describe("comparing", () => {
  test("one scrub bar moves all; keys step and play", async () => {
    await open(1, 2);
    await ready();
    const scrub = page.getByRole("slider", { name: "Frame" });
    (scrub.element() as HTMLElement).focus();
    await userEvent.keyboard("{End}");
    await expect.poll(() => greys().every((grey, at) => near(grey, greyOf(at + 1, 16)))).toBe(true);
    await userEvent.keyboard("{Home}");
    await expect.poll(() => greys().every((grey, at) => near(grey, greyOf(at + 1, 0)))).toBe(true);
    await userEvent.keyboard(".....,");
    await expect.element(scrub).toHaveAttribute("aria-valuenow", "5");
    await expect.poll(() => greys().every((grey, at) => near(grey, greyOf(at + 1, 4)))).toBe(true);
    await page.getByRole("button", { name: "Play" }).click();
    await expect.poll(() => videos().every((video) => !video.paused)).toBe(true);
    await page.getByRole("button", { name: "Pause" }).click();
    await ready();
    await expect.poll(() => new Set(videos().map((video) => video.currentTime.toFixed(3))).size).toBe(1);
  });

  test("the difference is what the frames differ by, times the gain, and follows the scrub bar", async () => {
    await open(1, 2);
    await ready();
    await page.getByRole("radio", { name: "Difference" }).click();
    const canvas = () => document.querySelector("canvas")!;
    const apart = greyOf(2, 0) - greyOf(1, 0);
    await expect.poll(() => canvas() && near(greyShown(canvas()), apart * 4, 6), { timeout: 30_000 }).toBe(true);
    await page.getByRole("radio", { name: "16×" }).click();
    await expect.poll(() => near(greyShown(canvas()), apart * 16, 20)).toBe(true);
    await page.getByRole("radio", { name: "1×", exact: true }).click();
    await expect.poll(() => near(greyShown(canvas()), apart)).toBe(true);
    await userEvent.keyboard("...");
    await expect.poll(() => greys().every((grey, at) => near(grey, greyOf(at + 1, 3)))).toBe(true);
    await expect.poll(() => near(greyShown(canvas()), apart)).toBe(true);
  });

  test("the same result twice differs nowhere", async () => {
    // Clips 1 and 5 are the same picture.
    await open(1, 5);
    await ready();
    await page.getByRole("radio", { name: "Difference" }).click();
    await page.getByRole("radio", { name: "16×" }).click();
    await expect.poll(() => document.querySelector("canvas") !== null).toBe(true);
    await expect.poll(() => greyShown(document.querySelector("canvas")!)).toBeLessThan(3);
  });

  test("the wipe is dragged and moved with the keys; A is left of it, B right", async () => {
    await open(1, 2);
    await ready();
    await page.getByRole("radio", { name: "Wipe" }).click();
    const handle = page.getByRole("slider", { name: "Position of the wipe" });
    await expect.element(handle).toHaveAttribute("aria-valuenow", "50");
    (handle.element() as HTMLElement).focus();
    await userEvent.keyboard("{ArrowRight}{Shift>}{ArrowRight}{/Shift}");
    await expect.element(handle).toHaveAttribute("aria-valuenow", "61");
    await userEvent.keyboard("{Home}");
    await expect.element(handle).toHaveAttribute("aria-valuenow", "0");
    const stage = (handle.element() as HTMLElement).parentElement!.getBoundingClientRect();
    const point = (share: number) => ({ clientX: stage.left + stage.width * share, clientY: stage.top + 50 });
    const element = handle.element();
    element.setPointerCapture = () => {};
    element.dispatchEvent(new PointerEvent("pointerdown", { ...point(0), bubbles: true, pointerId: 1 }));
    element.dispatchEvent(new PointerEvent("pointermove", { ...point(0.25), bubbles: true, pointerId: 1 }));
    element.dispatchEvent(new PointerEvent("pointerup", { ...point(0.25), bubbles: true, pointerId: 1 }));
    await expect.element(handle).toHaveAttribute("aria-valuenow", "25");
    const panes = [...document.querySelectorAll<HTMLElement>(".pane")];
    expect(panes.map((pane) => pane.style.clipPath)).toEqual(["", "inset(0px 0px 0px 25%)"]);
  });

  test("zoom shows pixels in their size and the keys move over the picture, all pictures alike", async () => {
    await open(1, 2);
    await ready();
    await page.getByRole("radio", { name: "400%" }).click();
    const pictures = () => [...document.querySelectorAll<HTMLElement>(".picture")];
    await expect.poll(() => pictures().map((picture) => picture.offsetWidth)).toEqual([512, 512]);
    page.getByRole("group", { name: "Pictures" }).element().focus();
    await userEvent.keyboard("{ArrowRight}{ArrowRight}{ArrowDown}");
    expect(comparison.pan).toEqual({ x: 0.1, y: 0.05 });
    const moved = pictures().map((picture) => picture.style.transform);
    expect(new Set(moved).size).toBe(1);
    expect(moved[0]).toContain("-51.2px");
    await page.getByRole("radio", { name: "Fit" }).click();
    expect(comparison.pan).toEqual({ x: 0, y: 0 });
  });

  test("a zoomed picture is moved with the pointer, and its cross takes it away", async () => {
    await open(1, 2, 5);
    await ready();
    await page.getByRole("radio", { name: "400%" }).click();
    await page.getByRole("button", { name: /Remove A/ }).click();
    await expect.poll(() => route.numbers("ids")).toEqual([2, 5]);
    expect(comparison.pan).toEqual({ x: 0, y: 0 });
    const [from, to] = [...document.querySelectorAll<HTMLElement>(".pane")];
    await userEvent.dragAndDrop(from!, to!);
    await expect.poll(() => comparison.pan.x).toBeLessThan(0);
  });

  test("who is A and who is B can be chosen and swapped, and more can come and go", async () => {
    await open(1, 2, 5);
    await expect.poll(() => [comparison.a?.id, comparison.b?.id]).toEqual([1, 2]);
    await page.getByRole("radio", { name: "Wipe" }).click();
    await page.getByRole("button", { name: "Swap A and B" }).click();
    expect([comparison.a?.id, comparison.b?.id]).toEqual([2, 1]);
    await page.getByRole("combobox", { name: "Picture B" }).click();
    await page.getByRole("option", { name: /Result 5/ }).click();
    await expect.poll(() => [comparison.a?.id, comparison.b?.id]).toEqual([2, 5]);
    await page.getByRole("radio", { name: "Side by side" }).click();
    await page.getByRole("button", { name: /Remove A/ }).click();
    await expect.poll(() => route.numbers("ids")).toEqual([1, 5]);
    await page.getByRole("button", { name: "Add a result" }).click();
    const dialog = page.getByRole("dialog");
    await expect.element(dialog.getByRole("button", { name: /Result 5/ })).toBeDisabled();
    await dialog.getByRole("button", { name: /Result 8/ }).click();
    await expect.poll(() => route.numbers("ids")).toEqual([1, 5, 8]);
    await expect.poll(videos).toHaveLength(3);
  });

  test("shows the settings that differ first, the others folded", async () => {
    await open(1, 5);
    await expect.element(page.getByRole("heading", { name: /settings differ/ })).toBeInTheDocument();
    const table = page.getByRole("table").first();
    const rows = [...table.element().querySelectorAll("tbody tr")].map((row) =>
      [...row.children].map((cell) => cell.textContent),
    );
    expect(rows).toContainEqual(["Sigma Max", "80", "120"]);
    expect(rows).toContainEqual(["Steps", "4", "2"]);
    expect(rows.map(([label]) => label)).not.toContain("Prompt");
    await page.getByRole("button", { name: /settings are the same/ }).click();
    await expect.element(page.getByRole("rowheader", { name: "Prompt" })).toBeInTheDocument();
  });

  test("without anything to compare says how; what is gone or has no video is said; the last comparison comes back", async () => {
    await open();
    await expect.element(page.getByRole("heading", { name: "Choose two results to compare" })).toBeInTheDocument();
    route.go("compare", "", { ids: "1,2,4" }, true);
    await expect.element(page.getByText("One result is not there any more.")).toBeInTheDocument();
    await expect.poll(videos).toHaveLength(2);
    route.go("history");
    route.go("compare");
    await expect.poll(() => route.numbers("ids")).toEqual([1, 2, 4]);
    expect(studio.requests("history:detail").length).toBeGreaterThan(0);
  });
});

test.each(["dark", "light"])("nothing for axe to find (%s)", async (theme) => {
  document.documentElement.dataset["theme"] = theme;
  await open(1, 2, 5);
  await ready();
  for (const mode of ["Side by side", "Wipe", "Difference"]) {
    await page.getByRole("radio", { name: mode }).click();
    await settled();
    expect(await axeFindings(document.querySelector("main")!)).toEqual([]);
  }
});
