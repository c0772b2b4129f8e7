// Measures the history of a library with 50,000 jobs as a person feels it: the first result seen, pictures a second while
// flying and rolling through the list, and the time from a search's last letter to its results; idle and with a job at full
// load. Run by hand: npm run measure:library. docs/SPEED.md holds the figures.
import { mkdirSync, mkdtempSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "../../../app/history/database.ts";
import { fillSampleLibrary } from "../../app/history/sample-library.ts";
import { StudioWindow } from "./studio-window.ts";

const count = 50_000;
const library = join(mkdtempSync(join(tmpdir(), "rushes-large-")), "library");

mkdirSync(library);
const database = openDatabase(join(library, "rushes.db"));
fillSampleLibrary(database, count);
const studio = await StudioWindow.open({ library });
try {
  // Every card has a picture and a video that are really there.
  const { video } = await studio.server.finished(await studio.server.add());
  const poster = database.prepare("SELECT poster_path AS path FROM jobs WHERE id > ?").get(count) as { path: string };
  database
    .prepare("UPDATE jobs SET poster_path = ?, video_path = ? WHERE video_path IS NOT NULL")
    .run(poster.path, video!.path);
  await measure("idle");
  const values = { prompt: "a red ball bounces on a blue background", width: 256, height: 256, numFrames: 81 };
  await studio.request("queue:add", {
    drafts: Array.from({ length: 8 }, (_, seed) => ({ values: { ...values, seed } })),
  });
  await studio.until(
    async () => (await studio.request("queue:state", {})).running?.progress?.stage === "sample",
    "a running job",
  );
  await measure("a job at full load");
} finally {
  database.close();
  await studio.close();
}

async function measure(what: string): Promise<void> {
  const { page } = studio;
  await page.goto(`${studio.server.address}/#/generate`);
  await page.reload();
  await studio.prompt.waitFor();
  const began = performance.now();
  await studio.go("History");
  await page.locator("[data-result] img").first().waitFor();
  console.log(`${what} (load ${loadavg()[0]!.toFixed(1)})`);
  console.log(`  from Generate to the first picture: ${(performance.now() - began).toFixed(0)} ms`);
  for (const [name, share] of [
    ["rolling, 100 px a frame", null],
    ["flying through the whole list", 1],
  ] as const) {
    const times = (await page.evaluate(`(async () => {
      const list = document.querySelector("[data-result]");
      let scroller = list;
      while (scroller.scrollHeight <= scroller.clientHeight + 10 || getComputedStyle(scroller).overflowY === "visible")
        scroller = scroller.parentElement;
      scroller.scrollTop = 0;
      const times = [];
      let last = await new Promise(requestAnimationFrame);
      for (let frame = 0; frame < 240; frame++) {
        scroller.scrollTop = ${share === null ? "scroller.scrollTop + 100" : "(scroller.scrollHeight * frame) / 240"};
        const now = await new Promise(requestAnimationFrame);
        times.push(now - last);
        last = now;
      }
      return times;
    })()`)) as number[];
    console.log(`  ${name}: ${figures(times)}`);
  }
  const search = page.getByRole("textbox", { name: "Search the prompts" });
  const waits: number[] = [];
  for (const words of ["sailing calm", "猫", "robot neon tak", "fox rooftop", "handheld alley"]) {
    const before = await page.getByText(/^[\d,]+ (results|stacks)$/).innerText();
    await search.fill(words);
    const typed = performance.now();
    await studio.until(
      async () => (await page.getByText(/^[\d,]+ (results|stacks)$|^1 (result|stack)$/).innerText()) !== before,
      `the results of "${words}"`,
    );
    waits.push(performance.now() - typed);
  }
  console.log(`  search, from the last letter to its count (asked every 0.1 s): ${figures(waits)}`);
  await search.fill("");
  const { ids } = await studio.request("history:find", { filter: { words: "sailing calm", stacked: true } });
  const asked = performance.now();
  for (let times = 0; times < 10; times++)
    await studio.request("history:find", { filter: { words: `robot ${times}` } });
  console.log(
    `  one search over HTTP: ${((performance.now() - asked) / 10).toFixed(0)} ms (${ids.length} results above)`,
  );
}

function figures(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0);
  return `median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms, longest ${at(1)} ms`;
}
