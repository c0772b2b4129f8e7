// The engine's process as Node forks it: the way of the command line, the server and the tests.
import { fork, type ChildProcess } from "node:child_process";
import type { EngineProcess } from "./engine-process.ts";
import type { FromEngine, ToEngine } from "./messages.ts";
import { engineEnvironment, workerPath } from "./worker-start.ts";

export function forkEngine(addonPath: string): EngineProcess {
  return new ForkedProcess(addonPath);
}

class ForkedProcess implements EngineProcess {
  readonly #child: ChildProcess;

  constructor(addonPath: string) {
    this.#child = fork(workerPath(), [addonPath], {
      // Structured clones: pictures and packets travel as bytes.
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
      env: engineEnvironment(),
    });
  }

  get processId(): number | null {
    return this.#child.pid ?? null;
  }

  send(message: ToEngine): void {
    // A failed send means that the process is ending; "close" says so.
    this.#child.send(message, () => {});
  }

  onMessage(listener: (message: FromEngine) => void): void {
    this.#child.on("message", (message) => listener(message as FromEngine));
  }

  onOutput(listener: (text: string) => void): void {
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.setEncoding("utf8").on("data", listener);
  }

  onExit(listener: (reason: string) => void): void {
    let told = false;
    const tell = (reason: string) => {
      if (!told) listener(reason);
      told = true;
    };
    this.#child.on("error", (error) => tell(error.message));
    // "close" comes after the last output was read, "exit" may come before.
    this.#child.on("close", (code, signal) => tell(signal ?? `exit code ${code}`));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  hold(held: boolean): void {
    const { stdout, stderr, channel } = this.#child;
    for (const handle of [this.#child, channel, stdout, stderr]) holdHandle(handle, held);
  }
}

/** Pipes of child processes are sockets, though their type says streams. */
function holdHandle(handle: unknown, held: boolean): void {
  const counted = handle as { ref?: () => void; unref?: () => void } | null;
  if (held) counted?.ref?.();
  else counted?.unref?.();
}
