// The presets as the studio lists them; and saving what the form holds.
import type { PresetEntry } from "../../contract/channels/presets.ts";
import { differences, type SettingId, type Settings } from "../../contract/settings/derive.ts";
import { request } from "../bridge.ts";
import { connection } from "./connection.svelte.ts";
import { form } from "./form.svelte.ts";

/** Values that belong to one video rather than to a way of making them. */
const ofOneVideo: readonly SettingId[] = ["prompt", "seed", "image", "mode"];

class Presets {
  #all = $state.raw<readonly PresetEntry[] | null>(null);
  #asked = 0;

  /** null until the studio has answered. */
  get all(): readonly PresetEntry[] | null {
    return this.#all;
  }

  get builtIn(): readonly PresetEntry[] {
    return this.#all?.filter(({ builtIn }) => builtIn) ?? [];
  }

  /** The user's own, in their order. */
  get own(): readonly PresetEntry[] {
    return this.#all?.filter(({ builtIn }) => !builtIn) ?? [];
  }

  /** The one that was applied last; null where there is none, or it is gone. */
  get current(): PresetEntry | null {
    return this.#all?.find(({ id }) => id === form.presetId) ?? null;
  }

  /** The form has other values than the preset that was applied. */
  get edited(): boolean {
    const preset = this.current;
    if (!preset) return false;
    return differences(preset.settings, form.values).some(({ id }) => id in preset.settings && form.isSet(id));
  }

  /** Follows the studio while a view shows presets. Returns the way to stop. */
  follow(): () => void {
    const stops = [
      connection.onRefresh(() => void this.load()),
      connection.on("presets:changed", () => void this.load()),
      // Which of them lacks its model may be different now.
      connection.on("models:changed", () => void this.load()),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** What cannot be asked now is asked again when the connection is back. */
  async load(): Promise<void> {
    const asked = ++this.#asked;
    const answer = await request("presets:list", {}).catch(() => null);
    if (answer && asked === this.#asked) this.#all = answer.presets;
  }

  /** Saves what holds in the form beyond the defaults. What it leaves out of the preset in force becomes the form's own.
   * Rejects with a RushesError. */
  async saveAs(name: string, parts: { prompt: boolean; seed: boolean }): Promise<PresetEntry> {
    const beneath = this.current?.settings;
    const { preset } = await request("presets:save", { name, settings: this.#toSave(parts) });
    await this.load();
    form.adoptPreset(preset, beneath);
    return preset;
  }

  /** Writes what holds in the form into the preset that was applied. Gives the way to put back what it held, and what the
   * form had set of it. */
  async update(preset: PresetEntry): Promise<() => Promise<void>> {
    const withPrompt = "prompt" in preset.settings;
    const withSeed = "seed" in preset.settings;
    const settings = this.#toSave({ prompt: withPrompt, seed: withSeed });
    await request("presets:replace", { id: preset.id, settings });
    await this.load();
    const giveBack = form.undoably(() => form.adoptPreset({ id: preset.id, settings }));
    return async () => {
      await request("presets:replace", { id: preset.id, settings: preset.settings });
      await this.load();
      if (form.presetId === preset.id) giveBack();
    };
  }

  async rename(id: string, name: string): Promise<void> {
    await request("presets:rename", { id, name });
    await this.load();
  }

  async duplicate(id: string): Promise<void> {
    await request("presets:duplicate", { id });
    await this.load();
  }

  /** Shows the order at once; the studio's answer is what stays. */
  async reorder(ids: readonly string[]): Promise<void> {
    const place = new Map(ids.map((id, index) => [id, index]));
    const own = this.own.toSorted((one, other) => (place.get(one.id) ?? 0) - (place.get(other.id) ?? 0));
    this.#all = [...this.builtIn, ...own];
    try {
      await request("presets:reorder", { ids: [...ids] });
    } finally {
      await this.load();
    }
  }

  /** Gives the way to bring it back. */
  async delete(id: string): Promise<() => Promise<void>> {
    const { text } = await request("presets:delete", { id });
    await this.load();
    return async () => {
      await request("presets:import", { fileName: `${id}.json`, text });
      await this.load();
    };
  }

  async setDefault(id: string | null): Promise<void> {
    await request("presets:setDefault", { id });
    await this.load();
  }

  async export(id: string): Promise<{ fileName: string; text: string }> {
    return request("presets:export", { id });
  }

  async import(file: File): Promise<{ preset: PresetEntry; notes: string[] }> {
    const imported = await request("presets:import", { fileName: file.name, text: await file.text() });
    await this.load();
    return imported;
  }

  #toSave(parts: { prompt: boolean; seed: boolean }): Partial<Settings> {
    const held = { ...this.current?.settings, ...form.values };
    const wanted = (id: string) =>
      !ofOneVideo.includes(id as SettingId) || (id === "prompt" && parts.prompt) || (id === "seed" && parts.seed);
    return Object.fromEntries(Object.entries(held).filter(([id, value]) => wanted(id) && value !== undefined));
  }
}

export const presets = new Presets();
