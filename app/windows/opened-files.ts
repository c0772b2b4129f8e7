// Files the program was opened with: words of the command line, "Open with", a second start. They wait until a window
// listens, since a file may come before there is one.
import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";

/** Nobody opens more at once on purpose. */
const mostFiles = 50;

/** The files among a command line's words, absolute. Switches and what does not exist are left out. */
export function filesAmong(words: readonly string[], folder: string): string[] {
  return words
    .filter((word) => word !== "" && !word.startsWith("-"))
    .map((word) => resolve(folder, word))
    .filter((path) => existsSync(path))
    .slice(0, mostFiles);
}

/** What a second start handed over, as far as it can be used: it comes from another process. */
export function handedFiles(data: unknown): string[] {
  const files = typeof data === "object" && data !== null && "files" in data ? data.files : null;
  if (!Array.isArray(files)) return [];
  return files.filter((path): path is string => typeof path === "string" && isAbsolute(path)).slice(0, mostFiles);
}

/** Things to show (files, places), kept until somebody can show them. */
export class OpenedFiles {
  #waiting: string[] = [];
  #show: ((path: string) => void) | null = null;

  open(path: string): void {
    if (this.#show) this.#show(path);
    else this.#waiting.push(path);
  }

  /** From now on `show` is called, also for what waited; the order is kept. */
  deliver(show: (path: string) => void): void {
    this.#show = show;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const path of waiting) show(path);
  }
}
