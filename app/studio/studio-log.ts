// The log file of a library: one line for each thing worth knowing when something goes wrong, in logs/rushes.log. Grown
// too large it becomes rushes.1.log, and the one before that goes.
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const largestBytes = 512 << 10;

export class StudioLog {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Adds a line with the time; further lines of the text are indented under it. What cannot be written is left out: a
   * log must never stop what it tells of. */
  write(text: string): void {
    const entry = `${new Date().toISOString()} [${process.pid}] ${text.trimEnd().replaceAll("\n", "\n    ")}\n`;
    try {
      mkdirSync(this.#folder, { recursive: true });
      if ((statSync(this.#path(0), { throwIfNoEntry: false })?.size ?? 0) + entry.length > largestBytes)
        renameSync(this.#path(0), this.#path(1));
      appendFileSync(this.#path(0), entry);
    } catch {
      return;
    }
  }

  /** The last lines, newest last; "" while there is no log. */
  end(lines: number): string {
    const text = [1, 0]
      .map((age) => this.#path(age))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8"))
      .join("");
    return text.trimEnd().split("\n").slice(-Math.max(1, lines)).join("\n");
  }

  #path(age: number): string {
    return join(this.#folder, age === 0 ? "rushes.log" : `rushes.${age}.log`);
  }
}
