// Where words go: results to standard output, everything else to standard error; with --json one object, and
// beside it only why nothing happens yet. One of these per run.
import type { RushesError } from "../../contract/errors.ts";
import { formatBytes } from "../../contract/format-bytes.ts";

export interface OutputOptions {
  readonly json: boolean;
  readonly verbose: boolean;
}

export class Output {
  readonly json: boolean;
  readonly verbose: boolean;
  #statusWidth = 0;
  #printed = false;

  constructor({ json, verbose }: OutputOptions) {
    this.json = json;
    this.verbose = verbose;
  }

  /** A line of the result. */
  print(text: string): void {
    if (this.json) return;
    this.clearStatus();
    process.stdout.write(`${text}\n`);
  }

  /** The one object of --json; a second one is ignored, so that an error after the result cannot spoil it. */
  printJson(object: unknown): void {
    if (!this.json || this.#printed) return;
    this.#printed = true;
    process.stdout.write(`${JSON.stringify(object, null, 2)}\n`);
  }

  /** What is going on; not part of the result. */
  note(text: string): void {
    if (this.json) return;
    this.clearStatus();
    process.stderr.write(`${text}\n`);
  }

  warn(sentence: string): void {
    this.note(`note: ${sentence}`);
  }

  /** Why nothing happens yet. Said beside --json too: whoever started it should not have to guess. */
  waiting(sentence: string): void {
    this.clearStatus();
    process.stderr.write(`note: ${sentence}\n`);
  }

  /** Shown with --verbose only, even beside --json: it goes to standard error. */
  debug(text: string): void {
    if (!this.verbose) return;
    this.clearStatus();
    process.stderr.write(`${text}\n`);
  }

  /** True when a line can be drawn over and over. */
  get hasStatusLine(): boolean {
    return !this.json && process.stderr.isTTY === true;
  }

  get columns(): number {
    return process.stderr.columns || 80;
  }

  /** Replaces the last status line. */
  status(text: string): void {
    if (!this.hasStatusLine) return;
    const line = text.slice(0, this.columns - 1);
    process.stderr.write(`\r${line.padEnd(this.#statusWidth)}`);
    this.#statusWidth = line.length;
  }

  clearStatus(): void {
    if (this.#statusWidth === 0) return;
    process.stderr.write(`\r${" ".repeat(this.#statusWidth)}\r`);
    this.#statusWidth = 0;
  }

  /** "error (code): sentence", what to do, and with --verbose the technical detail. */
  error(error: RushesError): void {
    this.printJson({ error });
    if (this.json && !this.verbose) return;
    this.clearStatus();
    process.stderr.write(`${describeError(error, this.verbose)}\n`);
  }
}

export function describeError(error: RushesError, verbose: boolean): string {
  const { code, message, advice, detail, neededBytes, freeBytes } = error;
  const lines = [`error (${code}): ${message}`];
  if (neededBytes !== undefined && freeBytes !== undefined && !/\d/.test(message))
    lines.push(`Needed ${formatBytes(neededBytes)}, free ${formatBytes(freeBytes)}.`);
  if (advice) lines.push(advice);
  if (verbose && detail) lines.push(detail);
  return lines.join("\n");
}
