// rushes settings: every setting with the value it would have and the source that gave it.
import type { ModelChoice, ModelManifest } from "../../../contract/models.ts";
import { allSettings, type Settings, settingOf } from "../../../contract/settings/derive.ts";
import { formatValue } from "../../../contract/settings/flags.ts";
import { readPictureSize } from "../../media/input-picture.ts";
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
  const { image } = Object.assign({}, ...sources.map(({ values }) => values)) as Partial<Settings>;
  const picture = image && choice.mode === "i2v" ? await readPictureSize(image) : null;
  const resolved = resolveSettings(sources, await traitsOf(choice, library), picture);
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

/** The model that would run, as its files say, or only its manifest where they cannot be read; null when files are named in
 * its place. */
async function traitsOf(choice: ModelChoice, library: string | undefined): Promise<ModelManifest | null> {
  if (choice.ditPath !== undefined) return null;
  const { openStudio } = await import("../../studio/open-studio.ts");
  const studio = await openStudio(library === undefined ? {} : { libraryFolder: library });
  try {
    const named = choice.name?.toLowerCase();
    const manifest = studio.models().find(({ id }) => id === named) ?? null;
    return await studio.model(choice).catch(() => manifest);
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
