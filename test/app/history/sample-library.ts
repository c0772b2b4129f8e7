// A library of any size for tests: prompts as people write them (English and Chinese), variants that differ in the seed
// only, several models and sizes, all states. The same number gives the same library.
import type { HistoryDatabase } from "../../../app/history/database.ts";
import { insertJobs } from "../../../app/history/writes/jobs.ts";
import { acceptedJob } from "./accepted-job.ts";

const subjects = [
  "A lone sailing boat",
  "A red fox",
  "An old lighthouse keeper",
  "Two paper cranes",
  "A robot gardener",
];
const moreSubjects = [
  "A child in a yellow raincoat",
  "A flock of starlings",
  "The last train",
  "一只橘猫",
  "一个红色的球",
];
const doings = ["crosses from left to right", "turns slowly towards the camera", "waits under a flickering neon sign"];
const moreDoings = [
  "unfolds in the wind",
  "runs through shallow water",
  "在雨夜的街道上慢慢走过",
  "climbs a spiral staircase",
];
const places = [
  "over a calm sea at sunset",
  "in an overgrown greenhouse",
  "on a rooftop above the city",
  "在蓝色的背景前",
];
const morePlaces = ["between tall pines in morning fog", "along a dusty desert road", "in a narrow alley in Lisbon"];
const manners = [
  "the sky turns violet, soft volumetric light, 35mm film grain",
  "slow dolly in, shallow depth of field",
];
const moreManners = [
  "handheld, natural colours, gentle camera shake",
  "macro shot, high contrast, 电影感",
  "wide static shot",
];
const models = ["demo", "TurboWan2.1-T2V-1.3B-480P", "TurboWan2.1-T2V-14B-720P"];
const sizes = [
  [128, 128],
  [832, 480],
  [480, 832],
  [1280, 720],
] as const;

export const sampleStart = Date.UTC(2025, 0, 1);
/** Milliseconds between two jobs of a sample library. */
export const samplePace = 11 * 60 * 1000;

/** Prompts that are really accepted, one by one; the others are copies of them with their own number, seed and state. */
const accepted = 250;

/** Fills an empty history with `count` finished jobs, ids 1 to `count`, in one transaction. Some prompts have several
 * variants. */
export function fillSampleLibrary(database: HistoryDatabase, count: number): void {
  const drawn = draws(count);
  const one = <T>(list: readonly T[]): T => list[Math.floor(drawn() * list.length)]!;
  const jobs = Array.from({ length: Math.min(count, accepted) }, () => {
    const beginning = [one([...subjects, ...moreSubjects]), one([...doings, ...moreDoings])];
    const prompt = [...beginning, one([...places, ...morePlaces]), one([...manners, ...moreManners])].join(" ");
    const [width, height] = one(sizes);
    const model = one(models);
    const job = acceptedJob(prompt, { model });
    return { ...job, settings: { ...job.settings, prompt, model, width, height, numFrames: 81 } };
  });
  database.transaction(() => {
    insertJobs(database, jobs, sampleStart);
    database.exec("CREATE TEMP TABLE accepted AS SELECT * FROM jobs; DELETE FROM jobs; DELETE FROM sqlite_sequence");
    const columns = (database.pragma("table_info(jobs)") as { name: string }[]).map(({ name }) => name);
    const values = columns.map((name) => changedColumns[name] ?? name).join(", ");
    database
      .prepare(
        // Of twenty jobs six are variants of one prompt.
        `WITH RECURSIVE
           numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < @count),
           grouped AS (SELECT number, iif(number % 20 < 6, number - number % 20, number) AS stack FROM numbers)
         INSERT INTO jobs (${columns.join(", ")}) SELECT ${values} FROM grouped
         JOIN accepted ON accepted.id = 1 + stack * 7919 / 3 % @accepted`,
      )
      .run({ count, accepted: jobs.length });
    database.exec("DROP TABLE accepted");
  })();
}

const at = `${sampleStart} + number * ${samplePace}`;
const take = "'take ' || (stack * 7919 / 3 % 17231)";
const state = "CASE number % 25 WHEN 7 THEN 'failed' WHEN 19 THEN 'cancelled' ELSE 'done' END";
const whenDone = (value: string) => `iif(number % 25 IN (7, 19), NULL, ${value})`;

/** What is different from the accepted job it is a copy of, as SQL. */
const changedColumns: Record<string, string> = {
  id: "number",
  uid: "printf('%08x-sample-%d', number * 2654435761 % 4294967296, number)",
  state,
  position: "number",
  prompt: `prompt || ', ' || ${take}`,
  search_text: `search_text || ', ' || ${take}`,
  seed: "number * 2654435761 % 4294967296",
  created_at: at,
  started_at: `${at} + 1000`,
  finished_at: `${at} + 9000`,
  attempts: "1",
  video_path: whenDone("'/library/videos/' || number || '.mp4'"),
  poster_path: whenDone("'/library/videos/' || number || '.png'"),
  video_bytes: whenDone("900000"),
  video_frames: whenDone("81"),
  video_width: whenDone("width"),
  video_height: whenDone("height"),
  favourite: "number % 9 = 0",
  deleted_at: `iif(number % 31 = 0, ${at} + 20000, NULL)`,
  stack_id: "NULL",
};

/** Numbers from 0 to 1, the same for the same start. */
function draws(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
