// The system's message box over our window, where there is one.
import { type BrowserWindow, dialog, type MessageBoxOptions } from "electron";

/** Resolves with the number of the button that was chosen. */
export async function showMessage(owner: BrowserWindow | null, options: MessageBoxOptions): Promise<number> {
  const { response } = await (owner ? dialog.showMessageBox(owner, options) : dialog.showMessageBox(options));
  return response;
}
