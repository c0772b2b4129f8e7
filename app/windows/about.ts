// "About Rushes": its version, its licence, and the way to the notices of what it is made of.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { app, type BrowserWindow, dialog, type MessageBoxOptions, shell } from "electron";
import type { NativeWords } from "./native-words.ts";

/** Beside an installed program, and where packing writes it in a folder of sources. */
export function noticesPath(): string {
  return join(app.isPackaged ? process.resourcesPath : join(app.getAppPath(), "out"), "THIRD-PARTY-NOTICES.txt");
}

/** Shows the box, over the window where there is one, and opens the notices when they are asked for. */
export async function showAbout(words: NativeWords, owner: BrowserWindow | null, notices: string): Promise<void> {
  // A folder of sources has none before it was packed.
  const more = existsSync(notices) ? [words.notices] : [];
  const box: MessageBoxOptions = {
    type: "info",
    title: words.about,
    message: `Rushes ${app.getVersion()}`,
    detail: words.licence,
    buttons: [words.close, ...more],
    defaultId: 0,
    cancelId: 0,
    noLink: true,
  };
  const { response } = await (owner ? dialog.showMessageBox(owner, box) : dialog.showMessageBox(box));
  if (response === 0) return;
  const problem = await shell.openPath(notices);
  if (problem !== "") dialog.showErrorBox(words.noticesUnopened, `${notices}\n\n${problem}`);
}
