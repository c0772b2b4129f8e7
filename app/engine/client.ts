// The studio's side of the engine: starts its process when it is first needed, passes calls and events, and tells its
// death apart from an error. No native code runs in this process.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RushesError } from "../../contract/errors.ts";
import type { EngineProcess, SpawnEngine } from "./engine-process.ts";
import { forkEngine } from "./forked-process.ts";
import type { CallEvent, EngineCalls, EngineMethod, FromEngine } from "./messages.ts";

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
  /** Stops a generation's sampling early and keeps what it has: the latest estimate is decoded and the call gives its
   * report, with keptStep. Before the first step is finished it waits for that one; after the last one, and for other
   * calls, it changes nothing. */
  keep?: AbortSignal;
}

export interface EngineClientOptions {
  /** How the engine's process is started; forked by Node unless given. */
  spawn?: SpawnEngine;
  /** The engine stands back behind the rest of the machine's work: for doors with a window that is to answer while it
   * computes. */
  background?: boolean;
}

interface PendingCall {
  resolve: (value: unknown) => void;
  reject: (error: RushesError) => void;
  onEvent: ((event: CallEvent) => void) | undefined;
  cancelled: boolean;
}

export class EngineClient {
  readonly #addonPath: string;
  readonly #spawn: SpawnEngine;
  readonly #background: boolean;
  #process: EngineProcess | null = null;
  #output = "";
  /** Waits for the end of a process that close() ends. */
  #closing: { ended: Promise<void>; tell: () => void } | null = null;
  #nextId = 1;
  readonly #calls = new Map<number, PendingCall>();

  /** The addon is looked for in the project's build/Release unless its path is given. */
  constructor(addonPath = process.env["RUSHES_ADDON"] ?? builtAddonPath(), options: EngineClientOptions = {}) {
    this.#addonPath = addonPath;
    this.#spawn = options.spawn ?? forkEngine;
    this.#background = options.background ?? false;
  }

  /** The process number of the running engine, or null: asking it anything would start one. */
  get processId(): number | null {
    return this.#process?.processId ?? null;
  }

  async call<M extends EngineMethod>(
    method: M,
    values: EngineCalls[M]["arguments"],
    { onEvent, signal, keep, letGo = false }: CallOptions = {},
  ): Promise<EngineCalls[M]["result"]> {
    if (signal?.aborted) throw new RushesError("job.cancelled");
    const id = this.#nextId++;
    const engine = this.#started();
    let patience: NodeJS.Timeout | undefined;
    const cancel = () => {
      const call = this.#calls.get(id);
      if (!call) return;
      call.cancelled = true;
      engine.send({ kind: "cancel", id });
      if (letGo) call.reject(new RushesError("job.cancelled"));
      else patience = setTimeout(() => engine.kill(), cancelPatience);
    };
    const keepLatest = () => engine.send({ kind: "keep", id });
    try {
      return await new Promise<EngineCalls[M]["result"]>((resolve, reject) => {
        const settle = resolve as (value: unknown) => void;
        this.#calls.set(id, { resolve: settle, reject, onEvent, cancelled: false });
        this.#hold();
        signal?.addEventListener("abort", cancel, { once: true });
        engine.send({ kind: "call", id, method, arguments: values });
        if (keep?.aborted) keepLatest();
        else keep?.addEventListener("abort", keepLatest, { once: true });
      });
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener("abort", cancel);
      keep?.removeEventListener("abort", keepLatest);
      this.#calls.delete(id);
      this.#hold();
    }
  }

  /** Ends the engine's process; calls under way reject with engine.crashed. */
  async close(): Promise<void> {
    const engine = this.#process;
    if (!engine) return;
    if (!this.#closing) {
      let tell = () => {};
      const ended = new Promise<void>((resolve) => (tell = resolve));
      this.#closing = { ended, tell };
      this.#hold();
      engine.kill();
    }
    await this.#closing.ended;
  }

  #started(): EngineProcess {
    if (this.#process) return this.#process;
    const engine = this.#spawn(this.#addonPath);
    this.#process = engine;
    this.#output = "";
    engine.onOutput((text) => {
      this.#output = (this.#output + text).slice(-keptOutput);
    });
    engine.onMessage((message) => this.#hear(message));
    engine.onExit((reason) => this.#died(engine, reason));
    if (this.#background) engine.send({ kind: "background" });
    return engine;
  }

  #hear(message: FromEngine): void {
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.kind === "event") call.onEvent?.(message.event);
    else if (message.kind === "result") call.resolve(message.value);
    else call.reject(new RushesError(message.error.code, message.error));
  }

  #died(engine: EngineProcess, cause: string): void {
    if (this.#process !== engine) return;
    this.#process = null;
    const detail = [`The engine's process ended: ${cause}.`, this.#output.trim()].filter(Boolean).join("\n");
    for (const call of this.#calls.values())
      call.reject(new RushesError(call.cancelled ? "job.cancelled" : "engine.crashed", { detail }));
    this.#closing?.tell();
    this.#closing = null;
  }

  /** An idle engine does not keep its parent alive; one that is awaited does, whatever answers come in meanwhile. */
  #hold(): void {
    this.#process?.hold(this.#closing !== null || this.#calls.size > 0);
  }
}

/** build/Release/rushes.node of the project this file lies in. */
function builtAddonPath(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, "build", "Release", "rushes.node");
}
