// Runs the real command line in a process of its own, with a library of its own.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

export const projectRoot = join(import.meta.dirname, "../../..");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export interface RunOptions {
  readonly library: string;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Run the built program in out/ instead of the sources. */
  readonly built?: boolean;
}

/** Starts it; `finished` resolves when it has ended. */
export function startRushes(words: readonly string[], options: RunOptions) {
  const started = performance.now();
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(
    process.execPath,
    [join(projectRoot, options.built ? "out/app/cli/main.js" : "app/cli/main.ts"), ...words],
    {
      cwd: options.cwd ?? projectRoot,
      env: { ...process.env, NO_COLOR: "1", RUSHES_LIBRARY: options.library, ...options.environment },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const finished = (async (): Promise<Finished> => {
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close") as Promise<[number | null]>,
    ]);
    return { code, stdout, stderr, seconds: (performance.now() - started) / 1000 };
  })();
  return { child, finished };
}

export async function runRushes(words: readonly string[], options: RunOptions): Promise<Finished> {
  return await startRushes(words, options).finished;
}
