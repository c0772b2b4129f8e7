// The page of one result: its player by frames, everything known of it, and what can be done with it.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import type { ExportState } from "../../../../contract/channels/exports.ts";
import type { HistoryDetail } from "../../../../contract/channels/history.ts";
import { RushesError } from "../../../../contract/errors.ts";
import { form } from "../../../../renderer/state/form.svelte.ts";
import { route } from "../../../../renderer/state/route.svelte.ts";
import { toasts } from "../../../../renderer/state/toasts.svelte.ts";
import { text } from "../../../../renderer/text/text.svelte.ts";
import { historyList } from "../../../../renderer/views/history/history-list.svelte.ts";
import HistoryView from "../../../../renderer/views/history/HistoryView.svelte";
import { axeFindings, settled } from "../../accessibility.ts";
import { greyOf } from "../../clips.ts";
import { greyShown } from "../../grey-shown.ts";
import { resultsStudio, sampleDetail } from "../../sample-results.ts";
import { demoModel, type ScriptedStudio } from "../../scripted-studio.ts";
import ViewFrame from "../ViewFrame.svelte";

let studio: ScriptedStudio;
let end: () => void;
let changes: Partial<HistoryDetail>;

beforeEach(() => {
  changes = {};
  historyList.reset();
  start();
});
afterEach(async () => {
  await text.choose("en");
  for (const toast of toasts.all) toasts.dismiss(toast.id);
  vi.restoreAllMocks();
  end();
});

function start(capabilities: Parameters<typeof resultsStudio>[1] = {}) {
  ({ studio, end } = resultsStudio(
    {
      "history:find": () => ({ ids: [10, 9, 8] }),
      "history:detail": ({ jobId }) => ({ detail: sampleDetail(jobId, changes) }),
      "generate:command": ({ ...asked }) => ({ command: `rushes generate --job ${JSON.stringify(asked)}` }),
      "queue:decodeAgain": ({ jobId }) => ({ job: sampleDetail(jobId + 100) }),
      "queue:retry": ({ jobId }) => ({ job: sampleDetail(jobId) }),
      "studio:choosePath": () => ({ path: "/exports" }),
      "studio:showInFolder": () => ({}),
    },
    capabilities,
  ));
}

async function open(id = 9) {
  route.go("history", id, {}, true);
  await render(ViewFrame, { view: HistoryView });
  await expect.element(page.getByRole("heading", { name: "Prompt", exact: true }).first()).toBeInTheDocument();
}
const button = (name: string | RegExp) => page.getByRole("button", { name });
const video = () => document.querySelector("video")!;
const shows = (frame: number) =>
  expect.poll(() => Math.abs(greyShown(video()) - greyOf(9, frame)) < 3, { timeout: 30_000 }).toBe(true);

describe("the player", () => {
  test("steps by frame with the keys, scrubs, loops, plays at other speeds", async () => {
    await open();
    await expect.poll(() => video().readyState).toBeGreaterThanOrEqual(2);
    await userEvent.keyboard("...");
    await shows(3);
    await userEvent.keyboard(",");
    await shows(2);
    await expect.element(page.getByText("3 / 17")).toBeInTheDocument();
    (page.getByRole("slider", { name: "Frame" }).element() as HTMLElement).focus();
    await userEvent.keyboard("{End}");
    await shows(16);
    await button("Loop").click();
    await expect.poll(() => video().loop).toBe(false);
    await page.getByRole("combobox", { name: "Speed" }).click();
    await page.getByRole("option", { name: "2×" }).click();
    await expect.poll(() => video().playbackRate).toBe(2);
    await button("Play").click();
    await expect.poll(() => video().paused, { timeout: 30_000 }).toBe(true);
    await shows(16);
  });

  test("a file that is gone says so", async () => {
    await open(199);
    await expect.element(page.getByText("This video cannot be played.")).toBeInTheDocument();
  });
});

describe("what is known", () => {
  test("settings with their labels, stages against the plan, int8 layers, warnings, log, attempts", async () => {
    await open();
    const definition = (label: string) =>
      [...document.querySelectorAll("dt")].find((term) => term.textContent === label)?.nextElementSibling?.textContent;
    expect(definition("Quant Linear")).toBe("Int8");
    expect(definition("Attention")).toBe("SageSLA");
    expect(definition("Sigma Max")).toBe("80");
    const meter = page.getByRole("meter", { name: "Sampling, Time" });
    await expect.element(meter).toHaveAttribute("aria-valuetext", expect.stringMatching(/9\.6.*of 9\.0.*planned/));
    await button(/Int8 on 80 layers/).click();
    await expect.element(page.getByText(/blocks\.9\.ffn\.7/)).toBeInTheDocument();
    await expect.element(page.getByText(/The prompt is very short/)).toBeInTheDocument();
    await button("Log").click();
    await expect.element(page.getByText(/sampling took 9.6 s/)).toBeInTheDocument();
    await expect.element(page.getByText("1 attempt")).toBeInTheDocument();
  });

  test("in Chinese, notes of what became of it are folded under the state they are about", async () => {
    await text.choose("zh");
    route.go("history", 9, {}, true);
    await render(ViewFrame, { view: HistoryView });
    await expect.element(page.getByText("1 次尝试")).toBeInTheDocument();
    const note = page.getByText("accepted");
    await expect.element(note).not.toBeInTheDocument();
    const first = page.getByRole("listitem").filter({ hasText: "等待中" });
    await first.getByRole("button", { name: "技术细节" }).click();
    await expect.element(note).toBeVisible();
    await text.choose("en");
    await expect.element(page.getByText(/– accepted/)).toBeVisible();
  });

  test("an error with its advice; trying again where that can help", async () => {
    changes = {
      state: "failed",
      video: null,
      error: { code: "memory.exhausted", sentence: "It needs 21 GB.", advice: "Tile the decode.", detail: "at decode" },
    };
    await open();
    await expect.element(page.getByText("It needs 21 GB.")).toBeInTheDocument();
    await expect.element(page.getByText("Tile the decode.")).toBeInTheDocument();
    await button("Try again").click();
    await expect.poll(() => studio.requests("queue:retry")).toEqual([{ jobId: 9 }]);
    expect(document.body.textContent).not.toContain("Export");
  });

  test("trying again a job that has begun meanwhile, as a double click does, frightens nobody", async () => {
    changes = {
      state: "failed",
      video: null,
      error: { code: "memory.exhausted", sentence: "It needs 21 GB.", advice: "", detail: "" },
    };
    studio.answers["queue:retry"] = () => {
      throw new RushesError("job.started", { sentence: "Job 9 runs already." });
    };
    await open();
    await button("Try again").click();
    await expect.poll(() => toasts.all.map(({ tone }) => tone)).toEqual(["good"]);
    expect(document.body.textContent).not.toContain("runs already");
  });

  test("memory of a graphics card beside the main memory, and the way to the CPU where the card failed", async () => {
    changes = {
      state: "failed",
      video: null,
      deviceName: "A card",
      error: { code: "gpu.lost", sentence: "The card stopped working.", advice: "", detail: "" },
      stages: sampleDetail(9).stages.map((each) => ({ ...each, deviceBytes: 7e9, plannedDeviceBytes: 8e9 })),
    };
    await open();
    const meter = page.getByRole("meter", { name: "Sampling, Peak on the card" });
    await expect.element(meter).toHaveAttribute("aria-valuetext", expect.stringMatching(/6\.5.*of 7\.5.*planned/));
    await button("Run on the CPU").click();
    await expect.poll(() => studio.requests("queue:retry")).toEqual([{ jobId: 9, onCpu: true }]);
  });

  test("one that is not there says so", async () => {
    studio.answers["history:detail"] = () => {
      throw Object.assign(new Error("There is no job 9."), { code: "job.unknown" });
    };
    route.go("history", 9, {}, true);
    await render(ViewFrame, { view: HistoryView });
    await expect.element(page.getByRole("heading", { name: "This result is not there" })).toBeInTheDocument();
  });
});

describe("what can be done", () => {
  test("Use settings fills the form without the seed, Use all with it", async () => {
    await open();
    await button("Use settings").click();
    await expect.poll(() => route.view).toBe("generate");
    expect(form.values).toMatchObject({ prompt: sampleDetail(9).prompt });
    expect(form.values.seed).toBeUndefined();
    route.go("history", 9);
    await button("Use all").click();
    await expect.poll(() => form.values.seed).toBe(sampleDetail(9).seed);
  });

  test("export into a chosen folder, with progress and a way to stop; the end is told", async () => {
    const state: ExportState = {
      id: "e1",
      jobId: 9,
      format: "gif",
      state: "running",
      fraction: 0,
      path: null,
      bytes: null,
      download: false,
      error: null,
    };
    studio.answers["exports:start"] = () => ({ export: state });
    studio.answers["exports:list"] = () => ({ exports: [state] });
    studio.answers["exports:cancel"] = () => ({});
    await open();
    await button("Export").click();
    await page.getByRole("menuitem", { name: /GIF/ }).click();
    await expect
      .poll(() => studio.requests("exports:start"))
      .toEqual([{ jobId: 9, format: "gif", folder: "/exports" }]);
    studio.say({ kind: "export:changed", export: { ...state, fraction: 0.42 } });
    const meter = page.getByRole("meter", { name: /Exporting Result 9, GIF/ });
    await expect.element(meter).toHaveAttribute("aria-valuetext", "42%");
    await button("Cancel the export").click();
    await expect.poll(() => studio.requests("exports:cancel")).toEqual([{ id: "e1" }]);
    studio.say({ kind: "export:changed", export: { ...state, state: "done", fraction: 1, path: "/exports/a.gif" } });
    await expect.element(page.getByText("Exported to /exports/a.gif")).toBeInTheDocument();
    await expect.poll(() => document.querySelector("[role=meter][aria-label^=Exporting]")).toBeNull();
  });

  test("decode again, the command, the folder, comparing", async () => {
    const written = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    await open();
    await button("Decode again").click();
    await expect.poll(() => studio.requests("queue:decodeAgain")).toEqual([{ jobId: 9 }]);
    await button("Copy as command").click();
    await expect.poll(() => written.mock.calls.at(-1)?.[0]).toBe('rushes generate --job {"jobId":9}');
    await button("Show in folder").click();
    await expect.poll(() => studio.requests("studio:showInFolder")).toEqual([{ jobId: 9 }]);
    await button(/Compare with/).click();
    await expect.poll(() => [route.view, route.numbers("ids")]).toEqual(["compare", [9]]);
  });

  test("what cannot be done says why or is not shown", async () => {
    end();
    start({ showInFolder: false });
    changes = { canDecodeAgain: false };
    await open();
    await expect.element(button("Decode again")).toBeDisabled();
    await expect.element(page.getByText("The latents of this result are no longer there.")).toBeInTheDocument();
    await expect.element(button("As start frame")).toBeDisabled();
    await expect.element(page.getByText(/No installed model can start from a picture/)).toBeInTheDocument();
    expect(document.body.textContent).not.toContain("Show in folder");
  });

  test("the shown frame becomes the picture of the form where a model can use one", async () => {
    studio.models = [{ ...demoModel, capabilities: ["distilled", "i2v"] }];
    await open();
    await expect.element(button("As start frame")).toBeEnabled();
    await expect.poll(() => video().readyState).toBeGreaterThanOrEqual(2);
    await button("As start frame").click();
    await expect.poll(() => form.picture).toEqual({ path: "/pictures/result-9.png" });
    expect(route.view).toBe("generate");
  });

  test("F marks, arrows go to the neighbours, Delete goes on with the next and can be undone", async () => {
    await open();
    await userEvent.keyboard("f");
    await expect.poll(() => studio.requests("history:favourite")).toEqual([{ jobIds: [9], favourite: true }]);
    await expect.poll(() => historyList.ids.length).toBe(3);
    await userEvent.keyboard("{ArrowRight}");
    await expect.poll(() => route.detailNumber).toBe(8);
    await userEvent.keyboard("{ArrowLeft}{ArrowLeft}");
    await expect.poll(() => route.detailNumber).toBe(10);
    await expect.element(button("Newer result")).toBeDisabled();
    await expect.element(page.getByRole("heading", { name: "Result 10" })).toBeInTheDocument();
    await button("Delete").click();
    await expect.poll(() => studio.requests("history:delete")).toEqual([{ jobIds: [10] }]);
    await expect.poll(() => route.detailNumber).toBe(9);
    await button("Undo").click();
    await expect.poll(() => studio.requests("history:restore")).toEqual([{ jobIds: [10] }]);
  });
});

test.each(["dark", "light"])("nothing for axe to find (%s)", async (theme) => {
  document.documentElement.dataset["theme"] = theme;
  await open();
  await button(/Int8 on 80 layers/).click();
  await settled();
  expect(await axeFindings(document.querySelector("main")!)).toEqual([]);
});
