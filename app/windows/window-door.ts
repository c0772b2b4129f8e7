// What the desktop window may do beyond a browser: any path of this machine, native dialogs, the file browser, the system's
// trash.
import { realpath, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { type BrowserWindow, dialog, type FileFilter, type OpenDialogOptions, shell } from "electron";
import type { LanguageChoice, StudioChannels } from "../../contract/channels/studio.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Door } from "../channels/door.ts";
import type { NativeWords } from "./native-words.ts";

type Wanted = StudioChannels["studio:choosePath"]["request"]["what"];

export interface WindowDoorParts {
  /** In the language in use. */
  words(): NativeWords;
  /** The system's language tag. */
  readonly language: string | null;
  /** The window dialogs belong to, where there is one. */
  window(): BrowserWindow | null;
  chooseLanguage(choice: LanguageChoice): void;
}

const endings: Readonly<Partial<Record<Wanted, readonly string[]>>> = {
  modelFile: ["safetensors", "pth", "pt", "ckpt", "bin", "gguf"],
  lora: ["safetensors", "pth", "pt", "ckpt", "bin"],
  image: ["png", "jpg", "jpeg", "webp"],
  video: ["mp4", "webm", "png"],
  text: ["txt", "csv", "jsonl", "json", "yaml", "yml"],
};

export function windowDoor({ words, language, window, chooseLanguage }: WindowDoorParts): Door {
  return {
    kind: "window",
    capabilities: { showInFolder: true, chooseFiles: true, anyPath: true, notifications: true, systemTrash: true },
    roots: [],
    language,
    allowedPath,
    choosePath: async (what) => {
      const options = dialogOptions(what, words());
      const owner = window();
      const { canceled, filePaths } = await (owner
        ? dialog.showOpenDialog(owner, options)
        : dialog.showOpenDialog(options));
      return canceled ? null : (filePaths[0] ?? null);
    },
    chooseLanguage,
    showInFolder,
    discardFile,
  };
}

export function dialogOptions(what: Wanted, words: NativeWords): OpenDialogOptions {
  const title = words.choose[what];
  if (what === "folder" || what === "modelFolder")
    return { title, properties: what === "folder" ? ["openDirectory", "createDirectory"] : ["openDirectory"] };
  const filters: FileFilter[] = [
    { name: words.kinds[what], extensions: [...(endings[what] ?? [])] },
    { name: words.kinds.all, extensions: ["*"] },
  ];
  return { title, properties: ["openFile"], filters };
}

/** Links are followed as far as the path exists: what is recorded is the file itself. */
async function allowedPath(path: string): Promise<string> {
  if (!isAbsolute(path) || path.includes("\0"))
    throw new RushesError("path.refused", { sentence: "A path is to be given in full." });
  return await followed(resolve(path));
}

async function followed(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await followed(parent), basename(path));
  }
}

/** A folder is opened, a file is shown in its folder. */
async function showInFolder(path: string): Promise<void> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new RushesError("file.unreadable", { sentence: `${path} is not there any more.`, cause });
  });
  if (!facts.isDirectory()) return shell.showItemInFolder(path);
  const problem = await shell.openPath(path);
  if (problem !== "")
    throw new RushesError("file.unreadable", { sentence: `${path} cannot be opened.`, detail: problem });
}

/** Some file systems have no trash: what is purged there is gone, as it was asked for. */
async function discardFile(path: string): Promise<void> {
  const there = await stat(path).catch(() => null);
  if (!there) return;
  await shell.trashItem(path).catch(() => rm(path, { force: true }));
}
