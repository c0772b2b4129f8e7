// What a person does in the desktop window, from a sentence to a video: the same for Electron itself (test/electron) and for
// the page in Chromium over the window's bridge. The browser's own door is tested in studio-window/.
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import type { ChannelName, ReplyOf, RequestOf } from "../../../contract/channels.ts";

export interface FlowWindow {
  readonly page: Page;
  /** What the page's console said that it should not. */
  readonly complaints: string[];
}

/** What a slow machine under load may take until something is seen, milliseconds. */
const patience = 90_000;
const sentence = "A red ball bounces on a blue background";

/** Asks through window.rushes, as the page does. */
export function request<C extends ChannelName>(page: Page, channel: C, value: RequestOf<C>): Promise<ReplyOf<C>> {
  return page.evaluate(`window.rushes.request(${JSON.stringify(channel)}, ${JSON.stringify(value)})`);
}

export async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + patience; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Waited in vain for ${what}`);
}

export const promptOf = (page: Page): Locator => page.getByRole("textbox", { name: "Prompt", exact: true });

/** Waits until the newest job is done, and until the page has loaded its video. */
async function newestShown(page: Page): Promise<number> {
  let id = 0;
  await until(async () => {
    id = (await request(page, "history:find", { filter: { states: ["done"] } })).ids[0] ?? 0;
    return id > 0;
  }, "a finished job");
  const selector = JSON.stringify(`video[src*="/media/video/${id}"]`);
  await until(
    async () => ((await page.evaluate(`document.querySelector(${selector})?.readyState ?? 0`)) as number) >= 2,
    "the video to load",
  );
  return id;
}

/** The flows, as tests of the file that calls this. */
export function windowFlows(window: () => FlowWindow): void {
  test("the page finds the desktop's bridge, and nothing else of it", async () => {
    const { page } = window();
    const seen = (await page.evaluate(
      `({ bridge: Object.keys(window.rushes).sort(), other: ["require", "process", "electron", "module", "Buffer"].filter((name) => name in window) })`,
    )) as object;
    expect(seen).toEqual({ bridge: ["listen", "pathOf", "request"], other: [] });
    expect(await request(page, "studio:hello", {})).toMatchObject({ door: "window", roots: [] });
  });

  test("a sentence becomes a video, played with byte ranges", async () => {
    const { page } = window();
    await promptOf(page).fill(sentence);
    await page
      .getByRole("button", { name: /^Generate/ })
      .first()
      .click();
    const id = await newestShown(page);
    const { detail } = await request(page, "history:detail", { jobId: id });
    expect(detail).toMatchObject({ state: "done", prompt: sentence, attempts: 1 });
    const video = (await page.evaluate(
      `(async () => {
        const part = await fetch("/media/video/${id}", { headers: { range: "bytes=4-7" } });
        const video = document.querySelector('video[src*="/media/video/${id}"]');
        return { status: part.status, text: await part.text(), width: video.videoWidth, height: video.videoHeight };
      })()`,
    )) as object;
    expect(video).toEqual({ status: 206, text: "ftyp", width: detail.settings.width, height: detail.settings.height });
  });

  test("a refusal comes with its sentence", async () => {
    const refused = (await window().page.evaluate(
      `window.rushes.request("queue:cancel", { jobId: 99999 }).then(() => null, (error) => ({ ...error }))`,
    )) as object;
    expect(refused).toMatchObject({ code: "job.unknown", sentence: expect.any(String) as string });
  });

  test("the page loaded again finds its job, and a cancelled job ends", async () => {
    const { page } = window();
    const values = { prompt: sentence, width: 256, height: 256, numFrames: 49, seed: 7 };
    const { jobs } = await request(page, "queue:add", { drafts: [{ values }] });
    const jobId = jobs[0]!.id;
    const state = async () => (await request(page, "history:detail", { jobId })).detail.state;
    await until(async () => (await state()) === "running", "the job to run");
    await page.reload();
    await page.getByRole("progressbar", { name: "Progress of the running job" }).waitFor({ timeout: patience });
    await page.getByRole("button", { name: "Cancel", exact: true }).first().click();
    await until(async () => (await state()) === "cancelled", "the end of the job");
  });

  test("nothing broke the page's policy", () => expect(window().complaints).toEqual([]));
}
