// utilityProcess.fork as Electron has it, over a process that Node forks: a parent port inside, copies of messages that know no
// Buffers, a number that is there after "spawn" only, SIGTERM as its end.
import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter } from "node:events";
import type * as Real from "electron";

/** Runs before the module: what Electron puts into a utility process. Bytes arrive as plain arrays there. */
const parentPort = `
  import { EventEmitter } from "node:events";
  const port = new EventEmitter();
  const send = process.send.bind(process);
  port.postMessage = (message) => void (process.connected && send(structuredClone(message), () => {}));
  process.on("message", (data) => port.emit("message", { data: structuredClone(data), ports: [] }));
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.parentPort = port;
  process.send = undefined;
`;

type Used = Pick<Real.UtilityProcess, "pid" | "kill" | "postMessage" | "stdout" | "stderr">;

export class StandInUtilityProcess extends EventEmitter implements Used {
  static readonly started: StandInUtilityProcess[] = [];
  /** A start that throws, where a test wants one. */
  static failure: Error | null = null;
  readonly modulePath: string;
  readonly words: readonly string[];
  readonly options: Real.ForkOptions;
  readonly #child: ChildProcess;
  #spawned = false;

  static fork(modulePath: string, words: string[] = [], options: Real.ForkOptions = {}): StandInUtilityProcess {
    if (StandInUtilityProcess.failure) throw StandInUtilityProcess.failure;
    const started = new StandInUtilityProcess(modulePath, words, options);
    StandInUtilityProcess.started.push(started);
    return started;
  }

  private constructor(modulePath: string, words: string[], options: Real.ForkOptions) {
    super();
    this.modulePath = modulePath;
    this.words = words;
    this.options = options;
    this.#child = fork(modulePath, words, {
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: ["--import", `data:text/javascript,${encodeURIComponent(parentPort)}`],
      env: options.env as NodeJS.ProcessEnv,
    });
    this.#child.on("spawn", () => {
      this.#spawned = true;
      this.emit("spawn");
    });
    this.#child.on("message", (message) => this.emit("message", structuredClone(message)));
    this.#child.on("exit", (code, signal) => {
      this.#spawned = false;
      this.emit("exit", code ?? (signal === "SIGKILL" ? 9 : 15));
    });
  }

  get pid(): number | undefined {
    return this.#spawned ? this.#child.pid : undefined;
  }

  get stdout(): NodeJS.ReadableStream | null {
    return this.#child.stdout;
  }

  get stderr(): NodeJS.ReadableStream | null {
    return this.#child.stderr;
  }

  kill(): boolean {
    return this.#spawned && this.#child.kill("SIGTERM");
  }

  postMessage(message: unknown): void {
    if (this.#child.connected) this.#child.send(structuredClone(message) as object, () => {});
  }
}

({ fork: StandInUtilityProcess.fork as unknown as typeof Real.utilityProcess.fork }) satisfies Pick<
  typeof Real.utilityProcess,
  "fork"
>;
