// What a dropped video says of itself, as far as this version and this library can use it.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { RestoredVideo } from "../../contract/channels/studio.ts";
import {
  checkSetting,
  isSettingId,
  type Lora,
  loraName,
  type ResolvedSettings,
} from "../../contract/settings/derive.ts";
import { applyRenames } from "../../contract/settings/renames.ts";
import { readJobIdByUid } from "../history/reads/job-by-uid.ts";
import { readVideoSettings } from "../media/video-record.ts";
import type { StudioCore } from "./studio-core.ts";
import type { LocalModels } from "./local-models.ts";

/** Throws video.foreign for a file that Rushes did not make, file.unreadable where there is none. */
export async function restoreVideo(core: StudioCore, models: LocalModels, path: string): Promise<RestoredVideo> {
  const { record } = await readVideoSettings(path);
  const settings: Record<string, unknown> = {};
  const notes: string[] = [];
  for (const [id, value] of Object.entries(applyRenames(record.settings, record.rushes))) {
    if (!isSettingId(id)) notes.push(`This version has no setting "${id.slice(0, 60)}".`);
    else {
      const problem = checkSetting(id, value);
      if (problem) notes.push(problem.sentence);
      else settings[id] = value;
    }
  }
  const picture = settings["image"];
  if (typeof picture === "string") {
    const kept = join(core.files.inputs, basename(picture));
    if (existsSync(kept)) settings["image"] = kept;
    else delete settings["image"];
  }
  const loras = settings["loras"] as readonly Lora[] | undefined;
  if (loras) {
    const named = (lora: Lora) => models.namedLora(loraName(lora), record.model);
    const found = await Promise.all(loras.map(async (lora) => ({ lora, file: await named(lora) })));
    settings["loras"] = found.flatMap(({ lora, file }) => (file === null ? [] : [{ ...lora, file }]));
    for (const { lora, file } of found)
      if (file === null)
        notes.push(`The LoRA ${loraName(lora).slice(0, 100)} is not here; put it into ${core.files.loras}.`);
  }
  const missing = models.missing(record.model);
  if (missing !== null) {
    delete settings["model"];
    notes.push(`It was made with ${record.model.slice(0, 100)}. ${missing}`);
  }
  return {
    fileName: basename(path),
    settings: settings as Partial<ResolvedSettings>,
    jobId: readJobIdByUid(core.database, record.job),
    notes: notes.slice(0, 20),
  };
}
