// The engine's process: owns the addon, keeps the last model warm, answers one heavy call of a model at a time and calls on
// finished videos beside it, ends when its parent does. Started by client.ts only, with the addon's path as its last
// argument.
import { constants, getPriority, setPriority } from "node:os";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { Addon, AddonModel, ClipCall, ClipEvent, EngineEvent, ModelFiles } from "./addon.ts";
import { loadAddon } from "./load.ts";
import type { EngineCalls, EngineMethod, EngineStatus, ToEngine } from "./messages.ts";
import { parentChannel } from "./parent-channel.ts";

type Handlers = {
  [M in EngineMethod]: (id: number, ...values: EngineCalls[M]["arguments"]) => Promise<EngineCalls[M]["result"]>;
};

/** The heavy call under way; its model is null until it is open. */
interface RunningCall {
  readonly id: number;
  model: AddonModel | null;
}

class EngineWorker {
  readonly #addonPath: string;
  #addon: Addon | null = null;
  #cacheFolder: string | null = null;
  #warm: { files: ModelFiles; model: AddonModel } | null = null;
  /** Calls that were cancelled, or told to keep what they have, before their model ran. */
  readonly #cancelled = new Set<number>();
  readonly #kept = new Set<number>();
  #running: RunningCall | null = null;
  /** Calls on finished videos; they run beside the model's. */
  readonly #clips = new Map<number, ClipCall>();

  constructor(addonPath: string) {
    this.#addonPath = addonPath;
  }

  async handle(message: ToEngine): Promise<void> {
    if (message.kind === "background") return standBack();
    if (message.kind === "cache") {
      this.#cacheFolder = message.folder;
      return;
    }
    if (message.kind !== "call") return this.#order(message);
    const { id, method } = message;
    try {
      const handler = this.#handlers[method] as (id: number, ...values: unknown[]) => Promise<unknown>;
      parent.send({ kind: "result", id, value: await handler(id, ...message.arguments) });
    } catch (error) {
      parent.send({ kind: "error", id, error: asRushesError(error).toJSON() });
    } finally {
      this.#cancelled.delete(id);
      this.#kept.delete(id);
    }
  }

  #order({ kind, id }: Extract<ToEngine, { kind: "cancel" | "keep" }>): void {
    const model = this.#running?.id === id ? this.#running.model : null;
    if (kind === "cancel") {
      const clip = this.#clips.get(id);
      if (clip) clip.cancel();
      else if (model) model.cancel();
      else this.#cancelled.add(id);
    } else {
      if (model) model.keep();
      else this.#kept.add(id);
    }
  }

  readonly #handlers: Handlers = {
    inspect: (_id, path) => this.#loaded().inspect(path),
    machine: async () => this.#loaded().machine(),
    selfTest: (_id, threads) => this.#loaded().selfTest(threads),
    bench: (id, options) =>
      this.#loaded().bench(options, (line) => parent.send({ kind: "event", id, event: { kind: "line", line } })),
    benchEndToEnd: (id, options) =>
      this.#loaded().benchEndToEnd(options, (line) =>
        parent.send({ kind: "event", id, event: { kind: "line", line } }),
      ),
    echo: async (_id, settings) => this.#loaded().echo(settings),
    status: async () => this.#status(),
    plan: (_id, files, settings, idCount, loras) =>
      this.#loaded().plan(files, settings, idCount, this.#warm?.model ?? null, loras),
    generate: (id, files, request) => this.#run(id, files, (model, onEvent) => model.generate(request, onEvent)),
    decode: (id, files, latentsPath, settings) =>
      this.#run(id, files, (model, onEvent) => model.decode(latentsPath, settings, onEvent)),
    unload: async () => {
      if (this.#running) throw new RushesError("engine.busy");
      this.#forget();
      this.#addon?.release();
      return null;
    },
    decodeClip: (id, clip, first) => this.#runClip(id, (onEvent) => this.#loaded().decodeClip(clip, first, onEvent)),
    encodeVp9: (id, clip, settings) =>
      this.#runClip(id, (onEvent) => this.#loaded().encodeVp9(clip, settings, onEvent)),
  };

  async #runClip(id: number, start: (onEvent: (event: ClipEvent) => void) => ClipCall): Promise<null> {
    const call = start((event) => parent.send({ kind: "event", id, event }));
    this.#clips.set(id, call);
    try {
      await call.done;
      return null;
    } finally {
      this.#clips.delete(id);
    }
  }

  async #run<T>(
    id: number,
    files: ModelFiles,
    call: (model: AddonModel, onEvent: (event: EngineEvent) => void) => Promise<T>,
  ): Promise<T> {
    if (this.#running) throw new RushesError("engine.busy");
    const running: RunningCall = { id, model: null };
    this.#running = running;
    try {
      const model = await this.#open(files);
      if (this.#cancelled.has(id)) throw new RushesError("job.cancelled");
      running.model = model;
      const done = call(model, (event) => parent.send({ kind: "event", id, event }));
      if (this.#kept.has(id)) model.keep();
      return await done;
    } finally {
      this.#running = null;
    }
  }

  #status(): EngineStatus {
    const { residentBytes, ...memory } = this.#loaded().memory();
    const warm = this.#warm && { files: this.#warm.files, residentBytes: this.#warm.model.heldBytes() };
    return { memory, residentBytes, warm, busy: this.#running !== null };
  }

  /** The model of these files: the warm one, or a fresh one in its place. */
  async #open(files: ModelFiles): Promise<AddonModel> {
    if (this.#warm && sameFiles(this.#warm.files, files)) return this.#warm.model;
    this.#forget();
    const model = await this.#loaded().openModel(files);
    this.#warm = { files, model };
    return model;
  }

  #forget(): void {
    this.#warm?.model.close();
    this.#warm = null;
  }

  /** Loaded by the first call that needs it, so that a missing addon is an answer and not a dead process. */
  #loaded(): Addon {
    if (this.#addon) return this.#addon;
    this.#addon = loadAddon(this.#addonPath);
    if (this.#cacheFolder !== null) this.#addon.keepRates?.(this.#cacheFolder);
    return this.#addon;
  }
}

function sameFiles(one: ModelFiles, other: ModelFiles): boolean {
  const { dit, ditLow, vae, textEncoder, textLength } = one;
  const sameTransformers = dit === other.dit && ditLow === other.ditLow;
  const sameOthers = vae === other.vae && textEncoder === other.textEncoder;
  return sameTransformers && sameOthers && textLength === other.textLength;
}

/** Threads made afterwards have it from the one that makes them; where the machine is idle nothing is lost. */
function standBack(): void {
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  try {
    if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL);
  } catch {
    // A system that forbids it: the window may be slower while a job runs.
  }
}

const parent = parentChannel();
const worker = new EngineWorker(process.argv.at(-1) ?? "");
parent.onMessage((message) => void worker.handle(message));
// Not exit(): its clean-up would run under the computing threads' feet.
parent.onGone(() => process.kill(process.pid, "SIGKILL"));
// Ctrl+C in a terminal reaches the whole group, and so does SIGTERM from systemd, a batch system or a reboot; the parent decides
// what to cancel. This process ends with it, and by SIGKILL.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
