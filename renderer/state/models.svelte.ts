// The models this machine has, as every view that names one needs them. Adding and inspecting them is the Models view's.
import type { ModelEntry } from "../../contract/channels/models.ts";
import type { Capability } from "../../contract/settings/setting.ts";
import { request } from "../bridge.ts";
import { connection } from "./connection.svelte.ts";

class Models {
  #list = $state.raw<readonly ModelEntry[] | null>(null);

  /** null until the studio has answered. */
  get list(): readonly ModelEntry[] | null {
    return this.#list;
  }

  /** Models whose files are all there. */
  get ready(): readonly ModelEntry[] {
    return (this.#list ?? []).filter(({ state }) => state === "ready");
  }

  /** By its id, or by its name as jobs record it. */
  find(model: string): ModelEntry | null {
    const name = model.toLowerCase();
    return this.#list?.find((entry) => entry.id.toLowerCase() === name || entry.name.toLowerCase() === name) ?? null;
  }

  /** True where a model of that name is known to have the ability. */
  can(model: string, ability: Capability): boolean {
    return this.find(model)?.capabilities.includes(ability) ?? false;
  }

  /** Follows the studio; called once. Returns the way to stop. */
  start(): () => void {
    const stops = [connection.onRefresh(() => this.refresh()), connection.on("models:changed", () => this.refresh())];
    return () => {
      for (const stop of stops) stop();
    };
  }

  refresh(): void {
    void request("models:list", {}).then(
      ({ models: list }) => (this.#list = list),
      () => undefined, // Shown as a lost connection; asked again when it is back.
    );
  }
}

/** The one list of models. */
export const models = new Models();
