// The engine in a utility process of Electron: a process of its own with Node inside, which works where running Electron as
// Node is switched off (electron-builder.yml), and which Electron ends with itself.
import { utilityProcess, type UtilityProcess } from "electron";
import type { EngineProcess } from "../engine/engine-process.ts";
import type { FromEngine, ToEngine } from "../engine/messages.ts";
import { engineEnvironment, workerPath } from "../engine/worker-start.ts";

/** To be called once the program is ready. A start that fails is told to onExit. */
export function forkUtilityEngine(addonPath: string): EngineProcess {
  try {
    return new UtilityEngineProcess(
      utilityProcess.fork(workerPath(), [addonPath], {
        serviceName: "Rushes engine",
        stdio: ["ignore", "pipe", "pipe"],
        env: engineEnvironment(),
        // The addon and what it loads are not signed by us on every machine.
        allowLoadingUnsignedLibraries: true,
      }),
    );
  } catch (error) {
    return new FailedStart(error instanceof Error ? error.message : String(error));
  }
}

class UtilityEngineProcess implements EngineProcess {
  readonly #child: UtilityProcess;
  #ended = false;
  #killed = false;
  /** What V8 said when it could not go on; "" as long as it can. */
  #fatal = "";
  /** Pipes that have not been read to their end. */
  #openPipes = 0;
  #exit: { reason: string; tell: (reason: string) => void } | null = null;

  constructor(child: UtilityProcess) {
    this.#child = child;
    // Comes before "exit". Without a listener it would be thrown here, in the main process.
    child.on("error", (type, location) => (this.#fatal = [type, location].filter(Boolean).join(" in ")));
    // Asked to end before it had a number.
    child.once("spawn", () => {
      if (this.#killed) this.kill();
    });
  }

  get processId(): number | null {
    return this.#child.pid ?? null;
  }

  send(message: ToEngine): void {
    if (!this.#ended) this.#child.postMessage(message);
  }

  onMessage(listener: (message: FromEngine) => void): void {
    this.#child.on("message", (message: FromEngine) => listener(bytesAsBuffers(message)));
  }

  onOutput(listener: (text: string) => void): void {
    for (const pipe of [this.#child.stdout, this.#child.stderr]) {
      if (!pipe) continue;
      pipe.setEncoding("utf8");
      pipe.on("data", (text: string | Buffer) => listener(String(text)));
      this.#openPipes++;
      pipe.once("close", () => {
        this.#openPipes--;
        this.#tellExit();
      });
    }
  }

  onExit(listener: (reason: string) => void): void {
    this.#child.once("exit", (code) => {
      this.#ended = true;
      this.#exit = { reason: `exit code ${code}${this.#fatal && `, ${this.#fatal}`}`, tell: listener };
      this.#tellExit();
      // A pipe that a grandchild holds open says nothing of its end.
      setTimeout(() => this.#tellExit(true), lastOutputPatience).unref();
    });
  }

  /** utilityProcess.kill() asks politely (SIGTERM); a process that computes is to end at once. */
  kill(): void {
    this.#killed = true;
    const { pid } = this.#child;
    try {
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
    this.#child.kill();
  }

  /** The program lives as long as its window; nothing else keeps it. */
  hold(): void {}

  /** "exit" may come before the last output. */
  #tellExit(now = false): void {
    if (!this.#exit || (this.#openPipes > 0 && !now)) return;
    const { reason, tell } = this.#exit;
    this.#exit = null;
    tell(reason);
  }
}

/** How long the last words of a process that ended are waited for, milliseconds. */
const lastOutputPatience = 500;

class FailedStart implements EngineProcess {
  readonly processId = null;
  readonly #reason: string;

  constructor(reason: string) {
    this.#reason = reason;
  }

  onExit(listener: (reason: string) => void): void {
    setImmediate(() => listener(this.#reason));
  }

  send(): void {}
  onMessage(): void {}
  onOutput(): void {}
  kill(): void {}
  hold(): void {}
}

/** Bytes cross as plain arrays; readers of a forked process's messages get Buffers. */
function bytesAsBuffers(message: FromEngine): FromEngine {
  if (message.kind !== "event") return message;
  const entries = Object.entries(message.event).map(([name, value]: [string, unknown]) => [
    name,
    value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value,
  ]);
  return { ...message, event: Object.fromEntries(entries) as typeof message.event };
}
