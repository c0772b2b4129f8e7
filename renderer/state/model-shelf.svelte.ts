// Adding and forgetting models, and the folders they were found in: what the models and settings views need beyond the list
// in models.svelte.ts.
import type { LoraEntry, ModelEntry } from "../../contract/channels/models.ts";
import { asRushesError, type ErrorRecord } from "../../contract/errors.ts";
import { request } from "../bridge.ts";
import { connection } from "./connection.svelte.ts";

export interface FoundNote {
  readonly path: string;
  readonly note: string;
}

export class ModelShelf {
  #models = $state.raw<readonly ModelEntry[] | null>(null);
  #folders = $state.raw<readonly string[]>([]);
  #loras = $state.raw<readonly LoraEntry[]>([]);
  #loraFolder = $state("");
  #error = $state.raw<ErrorRecord | null>(null);
  #adding = $state(0);
  #asked = 0;

  /** null until the studio has answered. */
  get all(): readonly ModelEntry[] | null {
    return this.#models;
  }

  get folders(): readonly string[] {
    return this.#folders;
  }

  /** Those that can be chosen by name for one model or another. */
  get loras(): readonly LoraEntry[] {
    return this.#loras;
  }

  /** Where people put their own. */
  get loraFolder(): string {
    return this.#loraFolder;
  }

  get error(): ErrorRecord | null {
    return this.#error;
  }

  /** Files are being looked at. */
  get adding(): boolean {
    return this.#adding > 0;
  }

  /** Follows the studio while a view shows models. Returns the way to stop. */
  follow(): () => void {
    const stops = [
      connection.onRefresh(() => void this.load()),
      connection.on("models:changed", () => void this.load()),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  async load(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const [{ models, folders }, { loras, folder }] = await Promise.all([
        request("models:list", {}),
        request("models:loras", { model: null }),
      ]);
      if (asked !== this.#asked) return;
      this.#models = models;
      this.#folders = folders;
      this.#loras = loras;
      this.#loraFolder = folder;
      this.#error = null;
    } catch (error) {
      if (asked === this.#asked) this.#error = asRushesError(error).toJSON();
    }
  }

  /** Rejects with a RushesError when nothing was recognised. */
  async add(path: string): Promise<{ models: ModelEntry[]; notes: FoundNote[] }> {
    this.#adding++;
    try {
      const added = await request("models:add", { path });
      await this.load();
      return added;
    } finally {
      this.#adding--;
    }
  }

  async forget(what: { id: string } | { folder: string }): Promise<void> {
    await request("models:forget", what);
    await this.load();
  }
}
