// What goes wrong where nobody expected it: an error that nothing caught in the main process, and a process of the program
// that ended. Written to the studio's log; an error is also said once in a run, since what follows it is seldom news.
import { inspect } from "node:util";
import { app, dialog } from "electron";
import type { NativeWords } from "./native-words.ts";

export interface FailureParts {
  readonly log: { write(text: string): void };
  /** In the language in use. */
  words(): NativeWords;
}

interface Gone {
  readonly reason: string;
  readonly exitCode: number;
}

/** Watches from now on, until what it returns is called. */
export function watchProcessFailures({ log, words }: FailureParts): () => void {
  let isSaid = false;
  const unexpected = (error: unknown) => {
    log.write(`unexpected error: ${inspect(error)}`);
    if (isSaid) return;
    isSaid = true;
    const { unexpectedError, unexpectedAdvice } = words();
    dialog.showErrorBox(
      unexpectedError,
      `${unexpectedAdvice}\n\n${error instanceof Error ? error.message : inspect(error)}`,
    );
  };
  const gone = (name: string, { reason, exitCode }: Gone) => {
    if (reason !== "clean-exit") log.write(`${name} ended: ${reason}, exit code ${exitCode}`);
  };
  const childGone = (_event: unknown, details: Electron.Details) =>
    gone(`process ${details.name ?? details.serviceName ?? details.type}`, details);
  const pageGone = (_event: unknown, _contents: unknown, details: Gone) => gone("the page's process", details);
  process.on("uncaughtException", unexpected);
  process.on("unhandledRejection", unexpected);
  app.on("child-process-gone", childGone);
  app.on("render-process-gone", pageGone);
  return () => {
    process.off("uncaughtException", unexpected);
    process.off("unhandledRejection", unexpected);
    app.off("child-process-gone", childGone);
    app.off("render-process-gone", pageGone);
  };
}
