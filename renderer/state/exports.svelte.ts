// Exports under way, from any view: begun, followed, cancelled; what was begun here is fetched or told when it is done.
import type { ExportFormat, ExportState } from "../../contract/channels/exports.ts";
import { exportUrl } from "../../contract/channels/media.ts";
import { request } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { connection } from "./connection.svelte.ts";
import { toasts } from "./toasts.svelte.ts";

class Exports {
  #running = $state.raw<readonly ExportState[]>([]);
  /** Begun in this window: others' downloads are not this one's to fetch. */
  readonly #own = new Set<string>();
  /** What is over stays over: the word of its end may come before the answer that it began. */
  readonly #ended = new Map<string, ExportState>();
  #follows = false;

  /** Exports that are not finished, in their order. */
  get running(): readonly ExportState[] {
    return this.#running;
  }

  /** Follows the studio from now on; may be called often. */
  start(): void {
    if (this.#follows) return;
    this.#follows = true;
    connection.on("export:changed", (event) => this.#take(event.export));
    connection.onRefresh(() => void this.#refresh());
  }

  /** Exports results into a folder, or, where there is none, for a download. */
  async begin(jobIds: readonly number[], format: ExportFormat, folder: string | null): Promise<void> {
    this.start();
    for (const jobId of jobIds) {
      try {
        const wanted = { jobId, format, ...(folder === null ? {} : { folder }) };
        const { export: begun } = await request("exports:start", wanted);
        this.#own.add(begun.id);
        this.#take(this.#ended.get(begun.id) ?? begun);
      } catch (error) {
        toasts.error(error);
      }
    }
  }

  async cancel(id: string): Promise<void> {
    await request("exports:cancel", { id }).catch((error: unknown) => toasts.error(error));
  }

  #take(state: ExportState): void {
    const others = this.#running.filter(({ id }) => id !== state.id);
    const known = this.#running.find(({ id }) => id === state.id);
    if (state.state === "running") {
      if (this.#ended.has(state.id)) return;
      this.#running = known ? this.#running.map((each) => (each.id === state.id ? state : each)) : [...others, state];
      return;
    }
    this.#ended.set(state.id, state);
    this.#running = others;
    if (this.#own.delete(state.id)) tell(state);
  }

  async #refresh(): Promise<void> {
    try {
      const { exports } = await request("exports:list", {});
      this.#running = [];
      for (const state of exports) this.#take(state);
    } catch {
      // Shown as a lost connection; asked again when it is back.
    }
  }
}

function tell(state: ExportState): void {
  const words = text.words.history;
  const name = words.formats[state.format].name;
  if (state.state === "cancelled") toasts.show(words.exportCancelled);
  else if (state.state === "failed" && state.error) toasts.error(state.error);
  else if (state.path !== null) toasts.show(words.exported(state.path), { tone: "good" });
  else if (state.download) {
    fetchFile(state.id);
    const again = { label: words.save, run: () => fetchFile(state.id) };
    toasts.show(words.exportReady(name), { tone: "good", action: again });
  }
}

/** Lets the browser save it under the name the studio gives. */
function fetchFile(id: string): void {
  const link = document.createElement("a");
  link.href = exportUrl(id);
  link.download = "";
  link.click();
}

export const exports = new Exports();
