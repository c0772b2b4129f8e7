// Measures what a person feels of the window while the engine computes at full load: first paint, and the time from a key
// or a press to the picture that shows it (the browser's Event Timing). Run by hand: npm run measure:window.
// docs/SPEED.md holds the figures.
import type { Page } from "playwright-core";
import { StudioWindow } from "./studio-window.ts";

/** 16 ms is the least the browser reports; what is faster is not listed. */
const observed = { type: "event", durationThreshold: 16, buffered: true };
const jobs = 6;
const sentence = "A large green square moves slowly to the right in front of a white background while it rains";

/** Of the browser's PerformanceEventTiming what is used here; this file has no DOM types. */
interface EventTiming {
  readonly duration: number;
  readonly startTime: number;
  readonly processingStart: number;
  readonly processingEnd: number;
}

declare global {
  // What the page's observer has seen: milliseconds by event.
  var felt: { duration: number; delay: number; handling: number }[];
}

const studio = await StudioWindow.open();
try {
  const { page } = studio;
  console.log(`first contentful paint: ${(await firstPaint(page)).toFixed(0)} ms`);
  await page.evaluate((observed) => {
    globalThis.felt = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as unknown as EventTiming[]) {
        const { duration, startTime, processingStart, processingEnd } = entry;
        globalThis.felt.push({
          duration,
          delay: processingStart - startTime,
          handling: processingEnd - processingStart,
        });
      }
    }).observe(observed as never);
  }, observed);
  console.log("idle:");
  await use(page);
  const values = { prompt: "a red ball bounces on a blue background", numFrames: 81 };
  await studio.request("queue:add", { drafts: Array.from({ length: jobs }, () => ({ values })) });
  await studio.until(
    async () => (await studio.request("queue:state", {})).running?.progress?.stage === "sample",
    "a running job",
  );
  console.log("while a job runs:");
  await use(page);
} finally {
  await studio.close();
}

async function firstPaint(page: Page): Promise<number> {
  await page.reload();
  await page.getByRole("textbox", { name: "Prompt", exact: true }).waitFor();
  return page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN);
}

/** Types, moves sliders by keys and presses buttons, and says what was felt of it. */
async function use(page: Page): Promise<void> {
  await page.evaluate(() => void (globalThis.felt.length = 0));
  const prompt = page.getByRole("textbox", { name: "Prompt", exact: true });
  await prompt.fill("");
  await prompt.pressSequentially(sentence, { delay: 60 });
  const fold = page.getByRole("button", { name: /^Advanced Settings/ });
  if ((await fold.getAttribute("aria-expanded")) === "false") await fold.click();
  const slider = page.getByRole("slider", { name: "Sigma Max" });
  await slider.focus();
  for (let times = 0; times < 20; times++) await page.keyboard.press("ArrowRight", { delay: 20 });
  for (const steps of ["1", "2", "3", "4"])
    await page.getByRole("group", { name: "Steps", exact: true }).getByRole("radio", { name: steps }).click();
  await page.waitForTimeout(500);
  const felt = await page.evaluate(() => globalThis.felt);
  const figures = (of: (one: (typeof felt)[number]) => number) => {
    const sorted = felt.map(of).toSorted((a, b) => a - b);
    const at = (share: number) =>
      (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
    return `median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms, longest ${at(1)} ms`;
  };
  const counted = sentence.length + 20 + 4;
  console.log(`  ${counted} keys and presses, ${felt.length} events that took 16 ms or more until they were seen`);
  console.log(`  until seen:     ${figures(({ duration }) => duration)}`);
  console.log(`  until begun:    ${figures(({ delay }) => delay)}`);
  console.log(`  in the window:  ${figures(({ handling }) => handling)}`);
}
