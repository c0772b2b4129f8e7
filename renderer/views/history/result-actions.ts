// What is done with results in the list and on their page alike.
import type { Job, RetryChanges } from "../../../contract/job.ts";
import { request } from "../../bridge.ts";
import { runWithFix } from "../../state/job-fix.ts";
import { results } from "../../state/results.svelte.ts";
import { retryJob } from "../../state/retry-job.ts";
import { route } from "../../state/route.svelte.ts";
import { toasts } from "../../state/toasts.svelte.ts";
import { useJobSettings } from "../../state/use-settings.ts";
import { text } from "../../text/text.svelte.ts";
import { historyList } from "./history-list.svelte.ts";

/** Leaves the list: a selection that stayed would turn the next click on a card into another choice. */
export function compareResults(ids: readonly number[]): void {
  historyList.selectNone();
  route.go("compare", "", { ids: ids.join(",") });
}

/** Into the trash with Undo; nothing deleted stays selected. */
export async function deleteResults(ids: readonly number[]): Promise<number[]> {
  const deleted = await results.remove(ids);
  for (const id of deleted) historyList.selection.delete(id);
  return deleted;
}

/** Fills the form with a result's settings and shows it. */
export async function useSettingsOf(result: number | Job, keepSeed: boolean): Promise<void> {
  try {
    const job = typeof result === "number" ? (await request("history:detail", { jobId: result })).detail : result;
    await useJobSettings(job, keepSeed);
    route.go("generate");
  } catch (error) {
    toasts.error(error);
  }
}

export async function decodeAgain(jobId: number): Promise<void> {
  await queued(() => request("queue:decodeAgain", { jobId }), text.words.history.decodeQueued);
}

export async function retry(jobId: number, changes: RetryChanges = {}): Promise<void> {
  await queued(() => retryJob(jobId, changes), text.words.history.retried);
}

/** With the smallest change that fits into memory. */
export async function retryWithFix(job: Job): Promise<void> {
  await queued(() => runWithFix(job), text.words.history.retried);
}

export async function copyPrompt(prompt: string): Promise<void> {
  await copy(prompt);
  toasts.show(text.words.parts.copied, { tone: "good" });
}

export async function copyCommand(jobId: number): Promise<void> {
  try {
    const { command } = await request("generate:command", { jobId });
    await copy(command);
    toasts.show(text.words.history.commandCopied, { tone: "good", advice: command });
  } catch (error) {
    toasts.error(error);
  }
}

export async function showInFolder(jobId: number): Promise<void> {
  await request("studio:showInFolder", { jobId }).catch((error: unknown) => toasts.error(error));
}

async function queued(ask: () => Promise<unknown>, words: string): Promise<void> {
  try {
    await ask();
    const action = { label: text.words.history.showQueue, run: () => route.go("queue") };
    toasts.show(words, { tone: "good", action });
  } catch (error) {
    toasts.error(error);
  }
}

/** Without permission or outside a secure origin: through a selection, as before the clipboard had an interface. */
async function copy(words: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    const holder = document.createElement("textarea");
    holder.value = words;
    document.body.append(holder);
    holder.select();
    document.execCommand("copy");
    holder.remove();
  }
}
