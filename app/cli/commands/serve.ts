// rushes serve: the studio in a browser. Runs the queue and answers until Ctrl+C; a running job goes back to the queue then
// and continues at the next start.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { RushesError } from "../../../contract/errors.ts";
import { makeFolder } from "../../media/whole-file.ts";
import { checkChosenToken, drawToken } from "../../server/access.ts";
import { discardFile } from "../../server/browser-door.ts";
import { isLoopback, ownAddresses } from "../../server/origin.ts";
import type { RunningServer } from "../../server/server.ts";
import { type Command, exitCodes, type OptionValues, textOption } from "../context.ts";
import type { Output } from "../output.ts";
import { projectFolder } from "../project-folder.ts";
import { version } from "../version.ts";

const usualPort = 7777;

export const serve: Command = async ({ output, signal, library }, _words, options) => {
  const port = portOf(options);
  const host = textOption(options, "host") ?? "127.0.0.1";
  const token = await tokenOf(options);
  const roots = await rootsOf(options);

  const [{ openStudio }, { startServer }, { handlersOf }, { keepTrash }, { studioMedia }, { Uploads }] =
    await Promise.all([
      import("../../studio/open-studio.ts"),
      import("../../server/server.ts"),
      import("../../channels/registry.ts"),
      import("../../channels/history-channels.ts"),
      import("../../channels/studio-media.ts"),
      import("../../channels/uploads.ts"),
    ]);
  const studio = await openStudio({ background: true, ...(library === undefined ? {} : { libraryFolder: library }) });
  const stops: (() => void)[] = [];
  try {
    makeFolder(studio.libraryFolder);
    // A history that cannot be opened is told here; pages would only show that nothing answers.
    void studio.database;
    const project = projectFolder();
    // Folders of models that were added by another door.
    const added = studio.installedModels.folders();
    const uploads = new Uploads(join(studio.libraryFolder, "cache", "uploads"));
    const server = await startServer({
      handlers: handlersOf(studio, { version: version(), uploadPath: (id) => uploads.picturePath(id) }),
      events: studio,
      media: (item) => studioMedia(studio, item),
      version: version(),
      token,
      host,
      port,
      allowHosts: listOption(options, "allowHost"),
      roots: [...new Set([await realpath(studio.libraryFolder), join(project, "models"), ...added, ...roots])],
      pagesFolder: join(project, "out", "renderer"),
      uploads,
      log: studio.log,
    });
    const tokenFile = join(studio.libraryFolder, `server-${server.port}.token`);
    try {
      await keepToken(tokenFile, token);
      studio.run();
      stops.push(keepTrash(studio, { discardFile }));
      announce(output, server, host, tokenFile);
      if (options["open"] === true) await openBrowser(server, output, studio.libraryFolder);
      if (!signal.aborted) await once(signal, "abort");
      output.note("Ending; a running job continues at the next start.");
    } finally {
      for (const stop of stops) stop();
      await server.close();
      await rm(tokenFile, { force: true });
    }
  } finally {
    await studio.close();
  }
  return exitCodes.done;
};

function announce(output: Output, { link, address, port }: RunningServer, host: string, tokenFile: string): void {
  const warnings = isLoopback(host)
    ? []
    : [`Other machines can reach the server on ${host}, and the traffic is not encrypted.`];
  for (const warning of warnings) output.warn(warning);
  output.print(link);
  if (host === "0.0.0.0" || host === "::")
    for (const own of ownAddresses())
      if (!isLoopback(own) && !own.startsWith("["))
        output.note(`From elsewhere: ${link.replace(new URL(address).host, `${own}:${port}`)}`);
  output.note("Open this link in a browser. Ctrl+C ends the server.");
  output.printJson({ link, address, port, tokenFile, processId: process.pid, warnings });
}

function portOf(options: OptionValues): number {
  const text = textOption(options, "port") ?? String(usualPort);
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new RushesError("usage.invalid", {
    sentence: `"${text.slice(0, 40)}" is no port.`,
    advice: "Use a number up to 65535, or 0 for any free port.",
  });
}

/** --token FILE, else RUSHES_TOKEN, else a new one. */
async function tokenOf(options: OptionValues): Promise<string> {
  const file = textOption(options, "token");
  if (file !== undefined) {
    const text = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new RushesError("usage.invalid", {
        sentence: `The token file ${file} cannot be read.`,
        advice: "Name a text file with the token, or leave --token out to draw one.",
        cause,
      });
    });
    return checkChosenToken(text, file);
  }
  const given = process.env["RUSHES_TOKEN"];
  // The engine's process and the browser need not know it.
  delete process.env["RUSHES_TOKEN"];
  return given === undefined ? drawToken() : checkChosenToken(given, "RUSHES_TOKEN");
}

async function rootsOf(options: OptionValues): Promise<string[]> {
  return await Promise.all(
    listOption(options, "root").map((folder) =>
      realpath(resolve(folder)).catch((cause: unknown) => {
        throw new RushesError("usage.invalid", {
          sentence: `The folder ${folder} does not exist.`,
          advice: "Create it, or name one that does.",
          cause,
        });
      }),
    ),
  );
}

function listOption(options: OptionValues, name: string): string[] {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** For scripts of the same user; replaced at each start. */
async function keepToken(path: string, token: string): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, `${token}\n`, { mode: 0o600, flag: "wx" });
}

/** Opens the browser by way of a file that leads on to the link: every user of the machine can read the words a program was
 * started with. */
async function openBrowser({ link }: RunningServer, output: Output, libraryFolder: string): Promise<void> {
  const path = join(libraryFolder, "cache", "open.html");
  makeFolder(join(libraryFolder, "cache"));
  await rm(path, { force: true });
  const text = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=${link}"><title>Rushes</title>\n`;
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
  const [program, ...words] =
    process.platform === "darwin" ? ["open"] : process.platform === "win32" ? ["cmd", "/c", "start", ""] : ["xdg-open"];
  const child = spawn(program ?? "xdg-open", [...words, path], { stdio: "ignore", detached: true });
  child.on("error", () => output.warn("No browser could be started; open the link by hand."));
  child.unref();
}
