// Fills a real studio with what people have after a while: results, variants, a favourite, a failed job, presets, and a
// paused queue. Everything is made by the engine with the demo model.
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { findModel } from "../../../app/models/catalogue.ts";
import type { ServeProcess } from "../../app/server/serve-process.ts";

/** Jobs 1 to 4 of a filled studio: two variants of one sentence, and two others. */
export const filledPrompts = [
  "A red ball bounces on a blue background",
  "A red ball bounces on a blue background",
  "A green cube turns on a white background",
  "A pink triangle spins in front of a black background",
];

/** Makes them, and marks the third as a favourite. */
export async function makeResults(server: ServeProcess): Promise<void> {
  const own = [{ numSteps: 2 }, {}, { sigmaMax: 120 }, { slaTopk: 0.3 }];
  for (const [index, prompt] of filledPrompts.entries())
    await server.finished(await server.add({ prompt, seed: index + 1, ...own[index] }));
  await server.request("history:favourite", { jobIds: [3], favourite: true });
}

/** A job that fails because a file of its model went away between accepting and running. `mend` puts the file back. */
export async function makeFailure(server: ServeProcess, prompt: string): Promise<{ jobId: number; mend: () => void }> {
  const demo = findModel("demo")!;
  const place = join(server.library, "own models");
  mkdirSync(place, { recursive: true });
  const { dit, vae, textEncoder, tokenizer } = demo.files;
  for (const path of [dit, vae, textEncoder, tokenizer, join(dit, "..", "config.json")])
    copyFileSync(path, join(place, basename(path)));
  const { models } = await server.request("models:add", { path: place });
  await server.request("queue:pause", {});
  const jobId = await server.add({ prompt, model: models[0]!.id, width: 128, height: 128, numFrames: 17 });
  const file = join(place, basename(vae));
  renameSync(file, `${file}.away`);
  await server.request("queue:resume", {});
  await server.finished(jobId);
  return { jobId, mend: () => renameSync(`${file}.away`, file) };
}

/** Pauses the queue and lets jobs wait in it, in this order. */
export async function makeQueue(server: ServeProcess, prompts: readonly string[]): Promise<number[]> {
  await server.request("queue:pause", {});
  const ids: number[] = [];
  for (const prompt of prompts) ids.push(await server.add({ prompt, seed: ids.length + 100 }));
  return ids;
}
