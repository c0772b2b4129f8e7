// The studio's side of the engine: starts its process when it is first needed, passes calls and events, and tells its
// death apart from an error. No native code runs in this process.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RushesError } from "../../contract/errors.ts";
import type { EngineProcess, SpawnEngine } from "./engine-process.ts";
import { forkEngine } from "./forked-process.ts";
import type { CallEvent, EngineCalls, EngineMethod, FromEngine } from "./messages.ts";

/** Cancelling is to take less than a second. */
const usualCancelPatience = 800;
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
  /** How long a cancelled call may take to end before its process is ended, milliseconds; 800 unless given. */
  cancelPatience?: number;
  /** Where the engine may keep what it measures about this machine; absent: each process measures again. */
  cacheFolder?: string;
}

/** Calls that change nothing and are quick: where their process ends under them, by its own fault or for a cancelled call,
 * they are asked again, so that one job's end is never another's failure. */
const repeatableMethods: ReadonlySet<EngineMethod> = new Set([
  "inspect",
  "machine",
  "echo",
  "status",
  "plan",
  "unload",
]);
/** How often at most: what they ask may be what ends the process. */
const mostRepeats = 2;
const askAgain = Symbol("ask again");

/** A process that is being ended. */
interface Ending {
  /** For good, not for a cancelled call. */
  closing: boolean;
  ended: Promise<void>;
  tell: () => void;
}

interface PendingCall {
  resolve: (value: unknown) => void;
  reject: (error: RushesError) => void;
  onEvent: ((event: CallEvent) => void) | undefined;
  cancelled: boolean;
  /** Answered with askAgain if the process ends. */
  repeatable: boolean;
}

export class EngineClient {
  readonly #addonPath: string;
  readonly #spawn: SpawnEngine;
  readonly #background: boolean;
  readonly #cancelPatience: number;
  readonly #cacheFolder: string | undefined;
  #process: EngineProcess | null = null;
  #output = "";
  #ending: Ending | null = null;
  #nextId = 1;
  readonly #calls = new Map<number, PendingCall>();

  /** The addon is looked for in the project's build/Release unless its path is given. */
  constructor(addonPath = process.env["RUSHES_ADDON"] ?? builtAddonPath(), options: EngineClientOptions = {}) {
    this.#addonPath = addonPath;
    this.#spawn = options.spawn ?? forkEngine;
    this.#background = options.background ?? false;
    this.#cancelPatience = options.cancelPatience ?? usualCancelPatience;
    this.#cacheFolder = options.cacheFolder;
  }

  /** The process number of the running engine, or null: asking it anything would start one. */
  get processId(): number | null {
    return this.#process?.processId ?? null;
  }

  async call<M extends EngineMethod>(
    method: M,
    values: EngineCalls[M]["arguments"],
    options: CallOptions = {},
  ): Promise<EngineCalls[M]["result"]> {
    for (let repeats = 0; ; repeats++) {
      // A process that did not listen to a cancel takes no more calls; the next one does.
      while (this.#ending && !this.#ending.closing) {
        const ending: Ending = this.#ending;
        await ending.ended;
        if (ending.closing) throw new RushesError("engine.crashed");
      }
      if (options.signal?.aborted) throw new RushesError("job.cancelled");
      const answer = await this.#ask(method, values, options, repeatableMethods.has(method) && repeats < mostRepeats);
      if (answer !== askAgain) return answer as EngineCalls[M]["result"];
    }
  }

  async #ask(
    method: EngineMethod,
    values: unknown[],
    { onEvent, signal, keep, letGo = false }: CallOptions,
    repeatable: boolean,
  ): Promise<unknown> {
    const id = this.#nextId++;
    const engine = this.#started();
    let patience: NodeJS.Timeout | undefined;
    const cancel = () => {
      const call = this.#calls.get(id);
      if (!call) return;
      call.cancelled = true;
      engine.send({ kind: "cancel", id });
      if (letGo) call.reject(new RushesError("job.cancelled"));
      else patience = setTimeout(() => void this.#end(engine, false), this.#cancelPatience);
    };
    const keepLatest = () => engine.send({ kind: "keep", id });
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#calls.set(id, { resolve, reject, onEvent, cancelled: false, repeatable });
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
    if (this.#process) await this.#end(this.#process, true);
  }

  /** Ends a process; resolves when it has ended. */
  #end(engine: EngineProcess, closing: boolean): Promise<void> {
    if (this.#process !== engine) return Promise.resolve();
    if (!this.#ending) {
      let tell = () => {};
      const ended = new Promise<void>((resolve) => (tell = resolve));
      this.#ending = { closing, ended, tell };
      this.#hold();
      engine.kill();
    }
    this.#ending.closing ||= closing;
    return this.#ending.ended;
  }

  #started(): EngineProcess {
    if (this.#process) return this.#process;
    const engine = this.#spawn(this.#addonPath);
    this.#process = engine;
    this.#output = "";
    engine.onOutput((text) => {
      this.#output = (this.#output + text).slice(-keptOutput);
    });
    engine.onMessage((message) => this.#hear(engine, message));
    engine.onExit((reason) => this.#died(engine, reason));
    if (this.#background) engine.send({ kind: "background" });
    if (this.#cacheFolder !== undefined) engine.send({ kind: "cache", folder: this.#cacheFolder });
    return engine;
  }

  #hear(engine: EngineProcess, message: FromEngine): void {
    const call = this.#calls.get(message.id);
    if (message.kind === "event") call?.onEvent?.(message.event);
    else if (message.kind === "result") call?.resolve(message.value);
    else {
      call?.reject(new RushesError(message.error.code, message.error));
      // CUDA says of nearly every such error that the process must be ended before the card can be used again.
      if (message.error.code === "gpu.lost") void this.#end(engine, false);
    }
  }

  #died(engine: EngineProcess, cause: string): void {
    if (this.#process !== engine) return;
    this.#process = null;
    const detail = [`The engine's process ended: ${cause}.`, this.#output.trim()].filter(Boolean).join("\n");
    const ending = this.#ending;
    this.#ending = null;
    for (const call of this.#calls.values()) {
      if (call.cancelled) call.reject(new RushesError("job.cancelled", { detail }));
      else if (call.repeatable && !ending?.closing) call.resolve(askAgain);
      else call.reject(new RushesError("engine.crashed", { detail }));
    }
    ending?.tell();
  }

  /** An idle engine does not keep its parent alive; one that is awaited does, whatever answers come in meanwhile. */
  #hold(): void {
    this.#process?.hold(this.#ending !== null || this.#calls.size > 0);
  }
}

/** build/Release/rushes.node of the project this file lies in. */
function builtAddonPath(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, "build", "Release", "rushes.node");
}
