// The desktop program: the order in which it starts, and nothing else. What each part does is in windows/ and ipc/; the
// studio itself knows no Electron.
import { app, dialog, protocol } from "electron";
import { asRushesError } from "../contract/errors.ts";
import { appSchemePrivileges } from "./windows/app-protocol.ts";
import { filesAmong, handedFiles, OpenedFiles } from "./windows/opened-files.ts";

// Before the program is ready: what cannot be changed afterwards, and files that come early.
app.enableSandbox();
protocol.registerSchemesAsPrivileged([appSchemePrivileges]);
const opened = new OpenedFiles();
app.on("open-file", (event, path) => {
  event.preventDefault();
  opened.open(path);
});

const files = filesAmong(process.argv.slice(app.isPackaged ? 1 : 2), process.cwd());
// Nothing here waits for the start: Electron becomes ready only after this module has been evaluated to its end.
if (app.requestSingleInstanceLock({ files })) void start();
else app.quit();

async function start(): Promise<void> {
  for (const file of files) opened.open(file);
  try {
    // The studio is read from the disk while Chromium starts.
    const [{ Desktop }] = await Promise.all([import("./windows/desktop.ts"), app.whenReady()]);
    const desktop = await Desktop.open(opened);
    app.on("second-instance", (_event, _words, _folder, data) => {
      for (const file of handedFiles(data)) opened.open(file);
      desktop.bringForward();
    });
    app.on("activate", () => desktop.bringForward());
  } catch (thrown) {
    const error = asRushesError(thrown);
    dialog.showErrorBox(error.message, [error.advice, error.detail].filter(Boolean).join("\n\n"));
    app.exit(1);
  }
}
