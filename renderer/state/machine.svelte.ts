// Memory of this machine and the model that is warm in it.
import type { MachineState } from "../../contract/channels/machine.ts";
import { request } from "../bridge.ts";
import { connection } from "./connection.svelte.ts";

class Machine {
  #state = $state.raw<MachineState | null>(null);

  /** null until the studio has answered. */
  get state(): MachineState | null {
    return this.#state;
  }

  /** Follows the studio; called once. Returns the way to stop. */
  start(): () => void {
    const stops = [
      connection.onRefresh(() => {
        void request("machine:state", {}).then(
          ({ machine }) => (this.#state = machine),
          () => undefined, // Shown as a lost connection; asked again when it is back.
        );
      }),
      connection.on("machine:changed", ({ machine }) => (this.#state = machine)),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Gives the warm model's memory back. Rejects with engine.busy while it works. */
  async unload(): Promise<void> {
    this.#state = (await request("machine:unload", {})).machine;
  }
}

export const machine = new Machine();
