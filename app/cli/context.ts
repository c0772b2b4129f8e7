// What every command is given, and the exit codes commands return.
import type { ErrorCode } from "../../contract/errors.ts";
import type { Output } from "./output.ts";

export const exitCodes = { done: 0, failed: 1, usage: 2, cancelled: 130 } as const;

export interface CommandContext {
  readonly output: Output;
  /** Aborted by Ctrl+C. */
  readonly signal: AbortSignal;
  /** --library; absent: the usual folder. */
  readonly library: string | undefined;
}

/** Options as commander parsed them, in camelCase. */
export type OptionValues = Readonly<Record<string, unknown>>;

/** One command. Resolves with the exit code; what it throws is printed and turned into one. */
export type Command = (context: CommandContext, words: readonly string[], options: OptionValues) => Promise<number>;

/** The exit code of an error that nothing has been accepted for yet: what the user gave, or what the machine lacks. */
export function exitCodeOf(code: ErrorCode): number {
  if (code === "job.cancelled") return exitCodes.cancelled;
  const isMachine = /^(engine|history|cpu|disk)\./.test(code);
  return isMachine ? exitCodes.failed : exitCodes.usage;
}

export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}
