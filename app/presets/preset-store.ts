// The presets of a library: the built-in ones and the files in its presets folder. Every change is on the disk before its
// answer; files that were changed, broken or added by hand are shown as they are.
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { PresetEntry } from "../../contract/channels/presets.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { Settings } from "../../contract/settings/derive.ts";
import { builtInPresets, type Preset } from "../../contract/settings/presets.ts";
import { addFile, replaceFile } from "../media/whole-file.ts";
import { readWholeFile } from "../settings/config-file.ts";
import { withFileNames } from "../settings/file-names.ts";
import { importPresetText, presetText, withoutPicture } from "../settings/preset-file.ts";
import { presetFileNames, presetIdOf, presetSettings, presetsFolder, readPresetFile } from "../settings/presets.ts";
import { readNamedValues } from "../settings/sources.ts";
import { checkedName, freeName, stemOf, usableName } from "./preset-names.ts";
import { inOrder, readOrder, writeOrder } from "./preset-order.ts";

/** What presets need to know of the machine. */
export interface PresetSurroundings {
  /** Memory of the GPU in GiB; null without one. */
  readonly gpuMemory: number | null;
  /** Why a model of that name cannot run here, in one sentence, or null. */
  missingModel(name: string): string | null;
}

type OwnPreset = { id: string; file: string; name: string } & (
  { settings: Partial<Settings>; problem: null } | { settings: null; problem: string }
);

/** Every method throws settings.* or preset.* for what cannot be done, file.unwritable or disk.full. Changes are made one
 * after the other. */
export class PresetStore {
  readonly #library: string;
  readonly #folder: string;
  readonly #changed: () => void;
  #last: Promise<unknown> = Promise.resolve();

  constructor(libraryFolder: string, changed: () => void = () => {}) {
    this.#library = libraryFolder;
    this.#folder = presetsFolder(libraryFolder);
    this.#changed = changed;
  }

  list(surroundings: PresetSurroundings): PresetEntry[] {
    const order = readOrder(this.#folder);
    const fitting = fittingPreset(surroundings.gpuMemory);
    const entry = (preset: Pick<PresetEntry, "id" | "name" | "builtIn" | "settings">, problem: string | null) => {
      const { model } = preset.settings;
      const missing = model === undefined || model === "auto" ? null : surroundings.missingModel(model);
      return {
        ...preset,
        fits: preset.builtIn && preset.id === fitting,
        isDefault: order.default === preset.id,
        unavailable: problem ?? missing,
        broken: problem !== null,
      };
    };
    return [
      ...builtInPresets.map(({ id, label, settings }) => entry({ id, name: label, builtIn: true, settings }, null)),
      ...inOrder(this.#own(), order).map(({ id, name, settings, problem }) =>
        entry({ id, name, builtIn: false, settings: settings ?? {} }, problem),
      ),
    ];
  }

  /** The preset that a new form begins with; null: none, or it is gone or broken. */
  defaultId(): string | null {
    const { default: id } = readOrder(this.#folder);
    return id !== null && this.settingsOf(id) !== null ? id : null;
  }

  /** The values of a preset; null where there is none of that id or its file is broken. */
  settingsOf(id: string): Partial<Settings> | null {
    return presetSettings(id, this.#library);
  }

  save(name: string, settings: Partial<Settings>): Promise<string> {
    return this.#change(() => this.#add(checkedName(name), checked(settings)));
  }

  replace(id: string, settings: Partial<Settings>): Promise<string> {
    return this.#change(async () => {
      const preset = this.#find(id);
      await replaceFile(preset.file, bytesOf(preset.name, checked(settings)));
      return id;
    });
  }

  /** Its id stays, so that sessions, the order and the default keep it. */
  rename(id: string, name: string): Promise<string> {
    return this.#change(async () => {
      const preset = this.#find(id);
      const shown = checkedName(name);
      if (!preset.settings) throw broken(preset);
      const others = this.#own().filter((other) => other.id !== id);
      const free = freeName(shown, takenNames(others), " ");
      await replaceFile(preset.file, bytesOf(free, preset.settings));
      return id;
    });
  }

  /** The copy stands behind its original. */
  duplicate(id: string): Promise<string> {
    return this.#change(async () => {
      const builtIn = builtInOf(id);
      const own = builtIn ? null : this.#find(id);
      if (own && !own.settings) throw broken(own);
      const copy = await this.#add(builtIn?.label ?? own?.name ?? "", builtIn?.settings ?? own?.settings ?? {});
      if (own) {
        const ids = this.#ids().filter((each) => each !== copy);
        ids.splice(ids.indexOf(id) + 1, 0, copy);
        await this.#order(ids);
      }
      return copy;
    });
  }

  reorder(ids: readonly string[]): Promise<void> {
    return this.#change(async () => {
      const known = this.#ids();
      const wanted = [...new Set(ids)].filter((id) => known.includes(id));
      await this.#order([...wanted, ...known.filter((id) => !wanted.includes(id))]);
    });
  }

  /** Removes the file and gives its text, which `import` takes back. Its place and being the default wait for it. */
  delete(id: string): Promise<string> {
    return this.#change(async () => {
      const preset = this.#find(id);
      // A broken file need not even be UTF-8, and must be deletable all the same.
      const text = preset.settings
        ? presetText(preset.name, preset.settings)
        : new TextDecoder().decode(readWholeFile(preset.file));
      await this.#order(this.#ids());
      // What could not be given back whole is kept out of sight.
      if (preset.settings) await rm(preset.file);
      else await rename(preset.file, `${preset.file}.broken`);
      return text;
    });
  }

  setDefault(id: string | null): Promise<void> {
    return this.#change(async () => {
      if (id !== null && !builtInOf(id)) this.#find(id);
      await writeOrder(this.#folder, { ...readOrder(this.#folder), default: id });
    });
  }

  export(id: string): { fileName: string; text: string } {
    const builtIn = builtInOf(id);
    if (builtIn) return { fileName: `${builtIn.id}.json`, text: presetText(builtIn.label, builtIn.settings) };
    const preset = this.#find(id);
    if (!preset.settings) throw broken(preset);
    return { fileName: `${stemOf(preset.name)}.json`, text: presetText(preset.name, withFileNames(preset.settings)) };
  }

  import(fileName: string, text: string): Promise<{ id: string; notes: string[] }> {
    return this.#change(async () => {
      const { name, settings, notes } = importPresetText(text, fileName);
      const stem = basename(fileName.replaceAll("\\", "/")).replace(/\.[^.]*$/, "");
      return { id: await this.#add(usableName(name), settings, stem), notes };
    });
  }

  #own(): OwnPreset[] {
    return presetFileNames(this.#folder).map((fileName) => {
      const file = join(this.#folder, fileName);
      const stem = fileName.slice(0, -".json".length);
      const id = presetIdOf(fileName);
      try {
        const { name, values } = readPresetFile(file);
        return { id, file, name: name === null ? usableName(stem) : usableName(name), settings: values, problem: null };
      } catch (error) {
        return { id, file, name: usableName(stem), settings: null, problem: asRushesError(error).message };
      }
    });
  }

  #ids(): string[] {
    return inOrder(this.#own(), readOrder(this.#folder)).map(({ id }) => id);
  }

  /** Ids of deleted presets keep their place among the others. */
  async #order(ids: readonly string[]): Promise<void> {
    const kept = readOrder(this.#folder);
    const gone = kept.order.filter((id) => !ids.includes(id));
    const next = [...ids];
    for (const id of gone) next.splice(Math.min(kept.order.indexOf(id), next.length), 0, id);
    await writeOrder(this.#folder, { ...kept, order: next });
  }

  /** Throws preset.builtin or preset.unknown. */
  #find(id: string): OwnPreset {
    if (builtInOf(id)) throw new RushesError("preset.builtin");
    const preset = this.#own().find((each) => each.id === id);
    if (!preset) throw new RushesError("preset.unknown");
    return preset;
  }

  /** Under a name and a file name that are free. */
  async #add(wanted: string, settings: Partial<Settings>, fileStem?: string): Promise<string> {
    const before = this.#ids();
    const name = freeName(wanted, takenNames(this.#own()), " ");
    const taken = [...presetFileNames(this.#folder).map((each) => each.slice(0, -".json".length)), ...builtInIds];
    const stem = freeName(stemOf(fileStem ?? name), taken, "-");
    const path = await addFile(join(this.#folder, `${stem}.json`), bytesOf(name, settings));
    const added = this.#own().find(({ file }) => file === path);
    if (!added || !existsSync(path)) throw new RushesError("preset.unknown", "The preset was removed as it was saved.");
    if (!readOrder(this.#folder).order.includes(added.id)) await this.#order([...before, added.id]);
    return added.id;
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work).finally(() => this.#changed());
    this.#last = next.catch(() => {});
    return next;
  }
}

const builtInIds = builtInPresets.map(({ id }) => id);

/** The built-in preset that a machine with that much GPU memory should take. */
export function fittingPreset(gpuMemory: number | null): string {
  if (gpuMemory === null) return "cpu";
  const fits = ({ memory }: Preset) => memory !== null && gpuMemory >= memory[0] && gpuMemory < memory[1];
  return builtInPresets.find(fits)?.id ?? "cpu";
}

function builtInOf(id: string): Preset | undefined {
  return builtInPresets.find((preset) => preset.id === id.toLowerCase());
}

function takenNames(own: readonly OwnPreset[]): string[] {
  return [...own.map(({ name }) => name), ...builtInPresets.map(({ label }) => label), ...builtInIds];
}

/** Throws settings.invalid or settings.unknown. */
function checked(settings: Partial<Settings>): Partial<Settings> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return withoutPicture(readNamedValues(Object.fromEntries(given), null, "value").values);
}

function bytesOf(name: string, settings: Partial<Settings>): Uint8Array {
  return Buffer.from(presetText(name, settings));
}

function broken({ problem }: OwnPreset): RushesError {
  return new RushesError("settings.unreadable", {
    sentence: problem ?? undefined,
    advice: "Repair the file by hand, or delete the preset.",
  });
}
