// A page that does not answer: the user decides whether to wait or to load it anew.
import type { BrowserWindow } from "electron";
import type { NativeWords } from "./native-words.ts";
import { showMessage } from "./show-message.ts";

export interface StuckPageParts {
  readonly log: { write(text: string): void };
  /** In the language in use. */
  words(): NativeWords;
}

/** Asks once at a time, for as long as the page does not answer. */
export function watchStuckPage(window: BrowserWindow, { log, words }: StuckPageParts): void {
  const { webContents } = window;
  let question: AbortController | null = null;
  const ask = async () => {
    if (question) return;
    question = new AbortController();
    log.write("the page does not answer");
    const { pageStuck, pageStuckAdvice, wait, reload } = words();
    const chosen = await showMessage(window, {
      type: "warning",
      message: pageStuck,
      detail: pageStuckAdvice,
      buttons: [wait, reload],
      defaultId: 0,
      cancelId: 0,
      noLink: true,
      signal: question.signal,
    }).finally(() => (question = null));
    // A page that is stuck does not even reload; one that died is loaded again (main-window.ts).
    if (chosen === 1 && !window.isDestroyed()) webContents.forcefullyCrashRenderer();
  };
  webContents.on("unresponsive", () => void ask());
  webContents.on("responsive", () => question?.abort());
}
