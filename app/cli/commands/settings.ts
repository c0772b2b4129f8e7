// rushes settings: every setting with the value it would have and the source that gave it.
import { type ModelChoice, type ModelManifest, needsPicture } from "../../../contract/models.ts";
import { allSettings, settingOf } from "../../../contract/settings/derive.ts";
import { formatValue } from "../../../contract/settings/flags.ts";
import { collectSources } from "../../settings/collect.ts";
import { type ResolvedSources, resolveSettings, type ValueOrigin } from "../../settings/resolve.ts";
import { libraryFolderOf } from "../../settings/library-folder.ts";
import { type Command, exitCodes, textOption } from "../context.ts";
import { formatTable } from "../format.ts";
import { flagValues } from "../setting-flags.ts";

export const settings: Command = async ({ output, library }, _words, options) => {
  const { sources, choice } = await collectSources({
    libraryFolder: libraryFolderOf(library),
    configFile: textOption(options, "config"),
    preset: textOption(options, "preset"),
    flags: flagValues(options),
  });
  const resolved = resolveSettings(sources, await manifestOf(choice, library));
  output.printJson({ settings: jsonSettings(resolved), warnings: resolved.warnings });
  const rows = allSettings.map(({ id }) => [
    id,
    formatValue(settingOf(id), resolved.settings[id]).slice(0, 60),
    sourceText(resolved.origins[id]),
  ]);
  output.print(formatTable([["setting", "value", "source"], ...rows]));
  for (const warning of resolved.warnings) output.warn(warning);
  return exitCodes.done;
};

/** The manifest of the model that would run; null when files are named in its place. */
async function manifestOf(
  { name, mode, ditPath }: ModelChoice,
  library: string | undefined,
): Promise<ModelManifest | null> {
  if (ditPath !== undefined) return null;
  const { openStudio } = await import("../../studio/open-studio.ts");
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    const models = studio.models();
    if (name !== undefined) return models.find(({ id }) => id === name.toLowerCase()) ?? null;
    return (mode === "i2v" ? models.find(needsPicture) : models[0]) ?? null;
  } finally {
    await studio.close();
  }
}

function jsonSettings({ settings: values, origins }: ResolvedSources): object {
  return Object.fromEntries(
    allSettings.map(({ id }) => [id, { value: values[id], source: origins[id].kind, origin: origins[id].origin }]),
  );
}

function sourceText({ kind, origin }: ValueOrigin): string {
  if (kind === "flag") return "flag";
  return origin === "" ? kind : `${kind} (${origin})`;
}
