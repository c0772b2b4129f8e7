// Tells the desktop program which language was chosen here: its menu, dialogs and notifications are drawn outside of the page.
import { request } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { connection } from "./connection.svelte.ts";

class NativeLanguage {
  /** Follows the choice; called once. Returns the way to stop. */
  start(): () => void {
    return $effect.root(() => {
      $effect(() => {
        const language = text.choice;
        if (!connection.connected || connection.hello?.door !== "window") return;
        // What cannot be said now is said when the connection is back.
        request("studio:chooseLanguage", { language }).catch(() => {});
      });
    });
  }
}

export const nativeLanguage = new NativeLanguage();
