// The LoRA files that can be chosen by name for a model, looked at anew whenever somebody is about to choose.
import type { LoraEntry } from "../../contract/channels/models.ts";
import { request } from "../bridge.ts";

class Loras {
  #offered = $state.raw<readonly LoraEntry[]>([]);
  #folder = $state("");
  #asked = 0;

  get offered(): readonly LoraEntry[] {
    return this.#offered;
  }

  /** Where people put their own; "" until the studio has answered. */
  get folder(): string {
    return this.#folder;
  }

  async look(model: string): Promise<void> {
    const asked = ++this.#asked;
    try {
      const { loras, folder } = await request("models:loras", { model });
      if (asked !== this.#asked) return;
      this.#offered = loras;
      this.#folder = folder;
    } catch {
      // Shown as a lost connection; asked again with the next look.
    }
  }
}

/** The one list of LoRA files. */
export const loras = new Loras();
