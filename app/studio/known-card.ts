// The machine's graphics card as the engine sees it. Looking for a card starts its driver, so each of the engine's processes
// is asked once, and none is started for it.
import type { Gpu } from "../engine/addon.ts";
import type { EngineClient } from "../engine/client.ts";

export class KnownCard {
  readonly #engine: Pick<EngineClient, "processId" | "call">;
  #askedProcess: number | null = null;
  #answer: Promise<Gpu | null> = Promise.resolve(null);

  constructor(engine: Pick<EngineClient, "processId" | "call">) {
    this.#engine = engine;
  }

  /** What the engine that runs says; while none does, what the last one said: a card stays where it is when a process
   * ends. null: none was asked yet, or it gave no answer. Never rejects. An engine at work answers too. */
  look(): Promise<Gpu | null> {
    const { processId } = this.#engine;
    if (processId !== null && processId !== this.#askedProcess) {
      this.#askedProcess = processId;
      this.#answer = this.#engine.call("machine", []).then(
        ({ gpu }) => gpu,
        () => null,
      );
    }
    return this.#answer;
  }
}
