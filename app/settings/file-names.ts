// Settings as other people may see them: where the files of somebody's library lie is nobody else's business.
import { basename } from "node:path";
import { loraName, type Settings } from "../../contract/settings/derive.ts";

/** The settings with their files by name only. */
export function withFileNames<Some extends Partial<Settings>>(settings: Some): Some {
  const { image, loras } = settings;
  return {
    ...settings,
    ...(image ? { image: basename(image) } : {}),
    ...(loras ? { loras: loras.map((lora) => ({ ...lora, file: loraName(lora) })) } : {}),
  };
}
