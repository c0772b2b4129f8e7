// From what a form holds to a request: what the library's config file says stands below what the user set.
import { RushesError } from "../../contract/errors.ts";
import type { Draft } from "../../contract/channels/generate.ts";
import { checkSetting } from "../../contract/settings/derive.ts";
import type { AllowedPath } from "../models/lora-files.ts";
import { collectSources } from "../settings/collect.ts";
import { valuesTogether } from "../settings/resolve.ts";
import { invalid, readNamedValues } from "../settings/sources.ts";
import type { JobRequest } from "./studio.ts";

/** A draft whose picture is a path that its door allows: doors turn uploads into paths before. */
export interface LocalDraft {
  readonly values: Draft["values"];
  readonly presetId?: string | null;
  /** Absolute. */
  readonly imagePath?: string;
  /** The door's word on the paths of LoRA files: those of the preset and the config file, which the door does not see, are
   * asked about too. Absent: none may be used; names are for every door. */
  readonly allowedPath?: AllowedPath;
}

export const noPath: AllowedPath = () => Promise.reject(new RushesError("path.refused"));

/** Throws settings.unknown, settings.invalid or settings.unreadable. */
export async function requestOfDraft(draft: LocalDraft, libraryFolder: string): Promise<JobRequest> {
  const named = readNamedValues({ ...draft.values }, "form", "value");
  if (Object.keys(named.files).length > 0 || named.savePath !== undefined)
    throw new RushesError("settings.unknown", { sentence: "A form holds settings only, no files and folders." });
  const image = draft.imagePath === undefined ? {} : { image: draft.imagePath };
  const { sources, choice, savePath } = await collectSources({
    libraryFolder,
    presetId: draft.presetId,
    flags: { ...named, values: { ...named.values, ...image } },
    flagOrigin: "form",
  });
  const { prompt, model: _model, ...others } = valuesTogether(sources);
  const problem = checkSetting("prompt", prompt ?? "");
  if (problem) throw invalid(problem);
  return {
    prompt: prompt ?? "",
    model: choice,
    settings: others,
    allowedPath: draft.allowedPath ?? noPath,
    ...(savePath === undefined ? {} : { savePath }),
  };
}
