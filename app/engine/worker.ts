// The engine's process: owns the addon, keeps the last model warm, answers one heavy call of a model at a time and calls on
// finished videos beside it, ends when its parent does. Started by client.ts only, with the addon's path as its argument.
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { Addon, AddonModel, ClipCall, ClipEvent, EngineEvent, ModelFiles } from "./addon.ts";
import { loadAddon } from "./load.ts";
import type { EngineCalls, EngineMethod, FromEngine, ToEngine } from "./messages.ts";

type Handlers = {
  [M in EngineMethod]: (id: number, ...values: EngineCalls[M]["arguments"]) => Promise<EngineCalls[M]["result"]>;
};

class EngineWorker {
  readonly #addonPath: string;
  #addon: Addon | null = null;
  #warm: { key: string; model: AddonModel } | null = null;
  /** Calls that were cancelled before their model ran. */
  readonly #cancelled = new Set<number>();
  #running: { id: number; model: AddonModel } | null = null;
  /** Calls on finished videos; they run beside the model's. */
  readonly #clips = new Map<number, ClipCall>();

  constructor(addonPath: string) {
    this.#addonPath = addonPath;
  }

  async handle(message: ToEngine): Promise<void> {
    if (message.kind === "cancel") {
      const clip = this.#clips.get(message.id);
      if (clip) clip.cancel();
      else if (this.#running?.id === message.id) this.#running.model.cancel();
      else this.#cancelled.add(message.id);
      return;
    }
    const { id, method } = message;
    try {
      const handler = this.#handlers[method] as (id: number, ...values: unknown[]) => Promise<unknown>;
      send({ kind: "result", id, value: await handler(id, ...message.arguments) });
    } catch (error) {
      send({ kind: "error", id, error: asRushesError(error).toJSON() });
    } finally {
      this.#cancelled.delete(id);
    }
  }

  readonly #handlers: Handlers = {
    inspect: (_id, path) => this.#loaded().inspect(path),
    machine: async () => this.#loaded().machine(),
    selfTest: (_id, threads) => this.#loaded().selfTest(threads),
    bench: (id, options) =>
      this.#loaded().bench(options, (line) => send({ kind: "event", id, event: { kind: "line", line } })),
    echo: async (_id, settings) => this.#loaded().echo(settings),
    plan: async (_id, files, settings, idCount) => (await this.#open(files)).plan(settings, idCount),
    generate: (id, files, request) => this.#run(id, files, (model, onEvent) => model.generate(request, onEvent)),
    decode: (id, files, latentsPath, settings) =>
      this.#run(id, files, (model, onEvent) => model.decode(latentsPath, settings, onEvent)),
    unload: async () => {
      this.#forget();
      return null;
    },
    decodeClip: (id, clip, first) => this.#runClip(id, (onEvent) => this.#loaded().decodeClip(clip, first, onEvent)),
    encodeVp9: (id, clip, settings) =>
      this.#runClip(id, (onEvent) => this.#loaded().encodeVp9(clip, settings, onEvent)),
  };

  async #runClip(id: number, start: (onEvent: (event: ClipEvent) => void) => ClipCall): Promise<null> {
    const call = start((event) => send({ kind: "event", id, event }));
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
    const model = await this.#open(files);
    if (this.#cancelled.has(id)) throw new RushesError("job.cancelled");
    this.#running = { id, model };
    try {
      return await call(model, (event) => send({ kind: "event", id, event }));
    } finally {
      this.#running = null;
    }
  }

  /** The model of these files: the warm one, or a fresh one in its place. */
  async #open(files: ModelFiles): Promise<AddonModel> {
    const key = JSON.stringify([files.dit, files.vae, files.textEncoder, files.textLength]);
    if (this.#warm?.key === key) return this.#warm.model;
    if (this.#running) throw new RushesError("engine.busy");
    this.#forget();
    const model = await this.#loaded().openModel(files);
    this.#warm = { key, model };
    return model;
  }

  #forget(): void {
    this.#warm?.model.close();
    this.#warm = null;
  }

  /** Loaded by the first call that needs it, so that a missing addon is an answer and not a dead process. */
  #loaded(): Addon {
    return (this.#addon ??= loadAddon(this.#addonPath));
  }
}

function send(message: FromEngine): void {
  // The parent may be gone already; "disconnect" then ends this process.
  if (process.connected) process.send?.(message, () => {});
}

const worker = new EngineWorker(process.argv[2] ?? "");
process.on("message", (message) => void worker.handle(message as ToEngine));
// Not exit(): its clean-up would run under the computing threads' feet.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Ctrl+C in a terminal reaches the whole group; the parent decides what to cancel.
process.on("SIGINT", () => {});
