// The desktop program: the order in which it starts, and nothing else. What each part does is in windows/ and ipc/; the
// studio itself knows no Electron.
import { app, dialog, protocol } from "electron";
import { asRushesError } from "../contract/errors.ts";
import { commandNames } from "./cli/command-names.ts";
import { namedLibraryFolder } from "./settings/library-folder.ts";
import { appSchemePrivileges } from "./windows/app-protocol.ts";
import { ownWords, readCommandLine } from "./windows/command-line.ts";
import type { Desktop } from "./windows/desktop.ts";
import { OpenedFiles } from "./windows/opened-files.ts";
import { readSecondStart, type SecondStart } from "./windows/second-start.ts";

// Before the program is ready: what cannot be changed afterwards, and files that come early. Nothing at the top of this
// module waits for the start: Electron becomes ready only after the module has been evaluated to its end.
app.enableSandbox();
protocol.registerSchemesAsPrivileged([appSchemePrivileges]);
const opened = new OpenedFiles();
app.on("open-file", (event, path) => {
  event.preventDefault();
  opened.open(path);
});

const command = readCommandLine(ownWords(process.argv, app.isPackaged), {
  folder: process.cwd(),
  version: app.getVersion(),
  commands: commandNames,
});
if (command.kind === "window") {
  const start: SecondStart = { files: command.files, library: namedLibraryFolder(command.library) };
  if (app.requestSingleInstanceLock({ ...start })) void openWindow(command.library, start.files);
  else app.quit();
} else if (command.kind === "text") {
  process.stdout.write(command.text);
  app.exit(0);
} else {
  process.stderr.write(`${command.sentence}\n${command.advice}\n`);
  app.exit(2);
}

async function openWindow(library: string | undefined, files: readonly string[]): Promise<void> {
  for (const file of files) opened.open(file);
  const desktop = openDesktop(library);
  // One that comes before the window is there is served once it is; that it cannot be opened is said below.
  app.on("second-instance", (_event, _words, _folder, data) => {
    void desktop.then(
      (open) => open.secondStart(readSecondStart(data)),
      () => {},
    );
  });
  try {
    const open = await desktop;
    // Not earlier: on a Mac the start itself is an activation, and the window shows itself when its page is ready.
    app.on("activate", () => open.bringForward());
  } catch (thrown) {
    const error = asRushesError(thrown);
    dialog.showErrorBox(error.message, [error.advice, error.detail].filter(Boolean).join("\n\n"));
    app.exit(1);
  }
}

async function openDesktop(library: string | undefined): Promise<Desktop> {
  // The studio is read from the disk while Chromium starts.
  const [{ Desktop }] = await Promise.all([import("./windows/desktop.ts"), app.whenReady()]);
  return await Desktop.open(opened, library);
}
