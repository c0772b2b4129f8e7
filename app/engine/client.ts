// The studio's side of the engine: starts its process when it is first needed, passes calls and events, and tells its
// death apart from an error. No native code runs in this process.
import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RushesError } from "../../contract/errors.ts";
import type { CallEvent, EngineCalls, EngineMethod, FromEngine, ToEngine } from "./messages.ts";

/** How long a cancelled call may take to end before its process is ended, milliseconds. */
const cancelPatience = 800;
/** How much of what the process printed is kept for the detail of engine.crashed, characters. */
const keptOutput = 4000;

export interface CallOptions {
  onEvent?: (event: CallEvent) => void;
  /** Cancels the call; it rejects with job.cancelled, at the latest when the engine's process was ended for it. */
  signal?: AbortSignal;
  /** A cancelled call is let go at once: what it still does is not waited for, and the process is not ended for it. For
   * calls that run beside a generation. */
  letGo?: boolean;
}

interface PendingCall {
  resolve: (value: unknown) => void;
  reject: (error: RushesError) => void;
  onEvent: ((event: CallEvent) => void) | undefined;
  cancelled: boolean;
}

export class EngineClient {
  readonly #addonPath: string;
  #process: ChildProcess | null = null;
  #output = "";
  #closing = false;
  #nextId = 1;
  readonly #calls = new Map<number, PendingCall>();

  /** The addon is looked for in the project's build/Release unless its path is given. */
  constructor(addonPath = process.env["RUSHES_ADDON"] ?? builtAddonPath()) {
    this.#addonPath = addonPath;
  }

  /** The process number of the running engine, or null. */
  get processId(): number | null {
    return this.#process?.pid ?? null;
  }

  async call<M extends EngineMethod>(
    method: M,
    values: EngineCalls[M]["arguments"],
    { onEvent, signal, letGo = false }: CallOptions = {},
  ): Promise<EngineCalls[M]["result"]> {
    if (signal?.aborted) throw new RushesError("job.cancelled");
    const id = this.#nextId++;
    const engine = this.#started();
    let patience: NodeJS.Timeout | undefined;
    const cancel = () => {
      const call = this.#calls.get(id);
      if (!call) return;
      call.cancelled = true;
      this.#send(engine, { kind: "cancel", id });
      if (letGo) call.reject(new RushesError("job.cancelled"));
      else patience = setTimeout(() => engine.kill("SIGKILL"), cancelPatience);
    };
    try {
      return await new Promise<EngineCalls[M]["result"]>((resolve, reject) => {
        const settle = resolve as (value: unknown) => void;
        this.#calls.set(id, { resolve: settle, reject, onEvent, cancelled: false });
        this.#hold();
        signal?.addEventListener("abort", cancel, { once: true });
        this.#send(engine, { kind: "call", id, method, arguments: values });
      });
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener("abort", cancel);
      this.#calls.delete(id);
      this.#hold();
    }
  }

  /** Ends the engine's process; calls under way reject with engine.crashed. */
  async close(): Promise<void> {
    const engine = this.#process;
    if (!engine || engine.exitCode !== null || engine.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => engine.once("exit", () => resolve()));
    this.#closing = true;
    this.#hold();
    engine.kill("SIGKILL");
    await ended;
    this.#closing = false;
  }

  #started(): ChildProcess {
    if (this.#process) return this.#process;
    const engine = fork(workerPath(), [this.#addonPath], {
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
      // A team that sleeps when idle: spinning threads starve the rest of a busy machine (docs/SPEED.md).
      env: { OMP_WAIT_POLICY: "passive", ...process.env, NODE_OPTIONS: "" },
    });
    this.#process = engine;
    this.#output = "";
    for (const stream of [engine.stdout, engine.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-keptOutput);
      });
    engine.on("message", (message) => this.#hear(message as FromEngine));
    engine.on("error", (error) => this.#died(engine, error.message));
    // "close" comes after the last output was read, "exit" may come before.
    engine.on("close", (code, signal) => this.#died(engine, signal ?? `exit code ${code}`));
    return engine;
  }

  #hear(message: FromEngine): void {
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.kind === "event") call.onEvent?.(message.event);
    else if (message.kind === "result") call.resolve(message.value);
    else call.reject(new RushesError(message.error.code, message.error));
  }

  #died(engine: ChildProcess, cause: string): void {
    if (this.#process !== engine) return;
    this.#process = null;
    const detail = [`The engine's process ended: ${cause}.`, this.#output.trim()].filter(Boolean).join("\n");
    for (const call of this.#calls.values())
      call.reject(new RushesError(call.cancelled ? "job.cancelled" : "engine.crashed", { detail }));
  }

  #send(engine: ChildProcess, message: ToEngine): void {
    // A failed send means that the process is ending; "close" says so to the calls.
    engine.send(message, () => {});
  }

  /** An idle engine does not keep its parent alive; one that is awaited does, whatever answers come in meanwhile. */
  #hold(): void {
    const engine = this.#process;
    if (!engine) return;
    const busy = this.#closing || this.#calls.size > 0;
    for (const handle of [engine, engine.channel, engine.stdout, engine.stderr]) holdHandle(handle, busy);
  }
}

/** Pipes of child processes are sockets, though their type says streams. */
function holdHandle(handle: unknown, held: boolean): void {
  const counted = handle as { ref?: () => void; unref?: () => void } | null;
  if (held) counted?.ref?.();
  else counted?.unref?.();
}

/** worker.ts from the sources, worker.js from what was built of them. */
function workerPath(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url));
}

/** build/Release/rushes.node of the project this file lies in. */
function builtAddonPath(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, "build", "Release", "rushes.node");
}
