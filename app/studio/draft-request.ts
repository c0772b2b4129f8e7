// From what a form holds to a request: what the library's config file says stands below what the user set.
import { RushesError } from "../../contract/errors.ts";
import type { Draft } from "../../contract/channels/generate.ts";
import { checkSetting } from "../../contract/settings/derive.ts";
import { collectSources } from "../settings/collect.ts";
import { invalid, readNamedValues } from "../settings/sources.ts";
import type { JobRequest } from "./studio.ts";

/** A draft whose picture is a path: doors turn uploads into paths before. */
export interface LocalDraft {
  readonly values: Draft["values"];
  readonly presetId?: string | null;
  /** Absolute. */
  readonly imagePath?: string;
}

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
  const settings = Object.assign({}, ...sources.map(({ values }) => values)) as Draft["values"];
  const { prompt, model: _model, ...others } = settings;
  const problem = checkSetting("prompt", prompt ?? "");
  if (problem) throw invalid(problem);
  return {
    prompt: prompt ?? "",
    model: choice,
    settings: others,
    ...(savePath === undefined ? {} : { savePath }),
  };
}
