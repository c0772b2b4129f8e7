// Cards that views show: what changes while an answer is on its way is asked for again.
import { afterEach, expect, test } from "vitest";
import type { HistoryCard } from "../../../contract/channels/history.ts";
import { connection } from "../../../renderer/state/connection.svelte.ts";
import { results } from "../../../renderer/state/results.svelte.ts";
import { sampleCard } from "../sample-results.ts";
import { ScriptedStudio } from "../scripted-studio.ts";

let disconnect: (() => void) | undefined;
afterEach(() => {
  disconnect?.();
  results.forget();
});

test("a card that changes while its answer is on its way is asked for again", async () => {
  const answers: ((cards: HistoryCard[]) => void)[] = [];
  const studio = new ScriptedStudio({
    "history:cards": () => new Promise((resolve) => answers.push((cards) => resolve({ cards }))),
  });
  disconnect = studio.connect();
  await expect.poll(() => connection.connected).toBe(true);
  results.look("test", [7]);
  await expect.poll(() => answers.length).toBe(1);
  // Read before the change, heard of after it.
  studio.say({ kind: "history:changed", jobIds: [7] });
  answers[0]!([sampleCard(7, { favourite: false })]);
  await expect.poll(() => answers.length).toBe(2);
  answers[1]!([sampleCard(7, { favourite: true })]);
  await expect.poll(() => results.card(7)?.favourite).toBe(true);
});
