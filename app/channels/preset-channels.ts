// Answers the presets' channels from the studio's presets.
import type { PresetChannels, PresetEntry } from "../../contract/channels/presets.ts";
import { RushesError } from "../../contract/errors.ts";
import type { PresetSurroundings } from "../presets/preset-store.ts";
import { isUsed } from "../studio/graphics-card.ts";
import type { Studio } from "../studio/studio.ts";
import type { HandlersOf } from "./handlers.ts";

export function presetChannels(studio: Studio): HandlersOf<PresetChannels> {
  const { presets } = studio;
  const surroundings = async (): Promise<PresetSurroundings> => {
    const card = await studio.card.look();
    return {
      gpuMemory: isUsed(card) ? card.totalBytes / 2 ** 30 : null,
      missingModel: (name) => studio.installedModels.missing(name),
    };
  };
  const entry = async (id: string): Promise<PresetEntry> => {
    const found = presets.list(await surroundings()).find((preset) => preset.id === id);
    if (!found) throw new RushesError("preset.unknown");
    return found;
  };
  return {
    "presets:list": async () => ({ presets: presets.list(await surroundings()) }),
    "presets:save": async ({ name, settings }) => ({ preset: await entry(await presets.save(name, settings)) }),
    "presets:replace": async ({ id, settings }) => ({ preset: await entry(await presets.replace(id, settings)) }),
    "presets:rename": async ({ id, name }) => ({ preset: await entry(await presets.rename(id, name)) }),
    "presets:duplicate": async ({ id }) => ({ preset: await entry(await presets.duplicate(id)) }),
    "presets:reorder": async ({ ids }) => {
      await presets.reorder(ids);
      return {};
    },
    "presets:delete": async ({ id }) => ({ text: await presets.delete(id) }),
    "presets:setDefault": async ({ id }) => {
      await presets.setDefault(id);
      return {};
    },
    "presets:export": ({ id }) => presets.export(id),
    "presets:import": async ({ fileName, text }) => {
      const { id, notes } = await presets.import(fileName, text);
      return { preset: await entry(id), notes };
    },
  };
}
