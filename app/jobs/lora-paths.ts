// The LoRAs of a job as its engine takes them, looked for anew for every attempt: files may go between two.
import { existsSync } from "node:fs";
import { RushesError } from "../../contract/errors.ts";
import { loraName, type ResolvedSettings } from "../../contract/settings/derive.ts";
import type { EngineLora } from "../engine/addon.ts";
import { engineLoras } from "../models/lora-files.ts";

/** Throws lora.missing. */
export function lorasOfJob({ loras }: Pick<ResolvedSettings, "loras">): EngineLora[] {
  const gone = loras.find(({ file }) => !existsSync(file));
  if (gone)
    throw new RushesError("lora.missing", {
      sentence: `The LoRA ${loraName(gone)} of this job is gone.`,
      advice: "Put its file back where it was and try the job again.",
      detail: gone.file,
    });
  return engineLoras(loras);
}
