// Files and places the program was asked to show: words of the command line, "Open with", a second start, the menu. They
// wait until a window listens, since a file may come before there is one.

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
