// The machine as the window's header shows it: memory, the warm model, and whether the engine works. Announced about every
// two seconds while somebody listens and something changed.
import { cpus, freemem, totalmem } from "node:os";
import { readFileSync } from "node:fs";
import { RushesError } from "../../contract/errors.ts";
import type { DiagnosticFact, MachineState } from "../../contract/channels/machine.ts";
import { diagnosticFacts } from "./diagnostics.ts";
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

  constructor(core: LocalCore) {
    this.#core = core;
  }

  async state(): Promise<MachineState> {
    const { engine } = this.#core;
    const memory = { totalBytes: totalmem(), freeBytes: freemem() };
    const device = {
      name: cpus()[0]?.model.trim() ?? "CPU",
      kind: "cpu",
      totalBytes: memory.totalBytes,
      usedBytes: memory.totalBytes - memory.freeBytes,
    } as const;
    const engineBytes = engine.processId === null ? 0 : residentBytes(engine.processId);
    return Promise.resolve({ device, memory, engineBytes, warm: null, busy: this.#busy });
  }

  async unload(): Promise<MachineState> {
    if (this.#busy) throw new RushesError("engine.busy");
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

  get #busy(): boolean {
    return this.#core.opened && this.#core.runner.runningId !== null;
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
    this.#said = state;
    this.#core.announce({ kind: "machine:changed", machine: state });
  }
}

function differs(before: MachineState | null, now: MachineState): boolean {
  if (!before) return true;
  if (before.busy !== now.busy || before.warm?.model !== now.warm?.model) return true;
  const far = (from: number, to: number) => Math.abs(from - to) > noticedShare * now.memory.totalBytes;
  return (
    far(before.memory.freeBytes, now.memory.freeBytes) ||
    far(before.device.usedBytes, now.device.usedBytes) ||
    far(before.engineBytes, now.engineBytes)
  );
}

/** 0 where the system does not say. */
function residentBytes(processId: number): number {
  try {
    const status = readFileSync(`/proc/${processId}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
