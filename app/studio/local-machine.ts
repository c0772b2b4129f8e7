// The machine as the window's header shows it: what it computes on, memory, the warm model, and whether the engine works.
// Announced about every two seconds while somebody listens and something changed.
import { cpus, freemem, totalmem } from "node:os";
import { basename } from "node:path";
import type { DiagnosticFact, MachineState } from "../../contract/channels/machine.ts";
import type { EngineStatus } from "../engine/messages.ts";
import { listModels } from "../models/catalogue.ts";
import { diagnosticFacts } from "./diagnostics.ts";
import { isUsed, unusedCard } from "./graphics-card.ts";
import type { StudioMachine } from "./studio.ts";
import type { LocalCore } from "./studio-core.ts";

/** How often the machine is looked at while somebody listens, milliseconds. */
const lookPeriod = 2000;
/** Smaller changes of memory than this share of it are not worth an event. */
const noticedShare = 0.01;

export class LocalMachine implements StudioMachine {
  readonly #core: LocalCore;
  #timer: NodeJS.Timeout | null = null;
  #said: MachineState | null = null;
  #named: { dit: string; model: string } | null = null;

  constructor(core: LocalCore) {
    this.#core = core;
  }

  async state(): Promise<MachineState> {
    const { engine } = this.#core;
    // An engine that does not run is not started for this: it holds nothing.
    const status = engine.processId === null ? null : await engine.call("status", []).catch(() => null);
    const memory = status?.memory ?? { totalBytes: totalmem(), freeBytes: freemem() };
    const card = await this.#core.card.look();
    return {
      device: isUsed(card)
        ? { name: card.name, kind: "gpu", totalBytes: card.totalBytes, usedBytes: null }
        : {
            name: cpus()[0]?.model.trim() ?? "CPU",
            kind: "cpu",
            totalBytes: memory.totalBytes,
            usedBytes: memory.totalBytes - memory.freeBytes,
          },
      card: unusedCard(card),
      memory,
      engineBytes: status?.residentBytes ?? 0,
      warm: status?.warm ? this.#warmModel(status.warm) : null,
      busy: status?.busy ?? false,
    };
  }

  async unload(): Promise<MachineState> {
    if (this.#core.engine.processId !== null) await this.#core.engine.call("unload", []);
    const state = await this.state();
    this.#announce(state);
    return state;
  }

  diagnostics(): Promise<DiagnosticFact[]> {
    return diagnosticFacts(this.#core);
  }

  /** Looks every now and then until nobody listens any more. */
  watch(): void {
    this.#timer ??= setInterval(() => {
      if (this.#core.listenerCount === 0) return this.close();
      void this.#look();
    }, lookPeriod).unref();
  }

  close(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** By its name where it is one of the models of this machine, else by its transformer's file name. */
  #warmModel({ files: { dit }, residentBytes: bytes }: NonNullable<EngineStatus["warm"]>): MachineState["warm"] {
    // An open model whose weights were not read yet.
    if (bytes === 0) return null;
    if (this.#named?.dit !== dit) {
      const known = listModels().find(({ files, dit16 }) => files.dit === dit || dit16 === dit);
      this.#named = { dit, model: known?.id ?? basename(dit) };
    }
    return { model: this.#named.model, bytes };
  }

  async #look(): Promise<void> {
    try {
      const state = await this.state();
      if (this.#timer && differs(this.#said, state)) this.#announce(state);
    } catch {
      // The engine ended while it was asked; the next look finds out.
    }
  }

  #announce(state: MachineState): void {
    const kindBefore = this.#said?.device.kind ?? "cpu";
    this.#said = state;
    this.#core.announce({ kind: "machine:changed", machine: state });
    // Which preset fits follows from the card.
    if (state.device.kind !== kindBefore) this.#core.announce({ kind: "presets:changed" });
  }
}

function differs(before: MachineState | null, now: MachineState): boolean {
  if (!before) return true;
  if (before.busy !== now.busy || before.warm?.model !== now.warm?.model) return true;
  if (before.device.name !== now.device.name || before.card?.reason !== now.card?.reason) return true;
  const far = (from: number, to: number) => Math.abs(from - to) > noticedShare * now.memory.totalBytes;
  return (
    far(before.warm?.bytes ?? 0, now.warm?.bytes ?? 0) ||
    far(before.memory.freeBytes, now.memory.freeBytes) ||
    far(before.engineBytes, now.engineBytes)
  );
}
