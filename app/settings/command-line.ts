// The line that makes the same video from a terminal: `./rushes generate` with the flags in which a job or a draft differs
// from what the command would do by itself. Reading such a line is app/cli's work; its parser is what this is tested with.
import { homedir } from "node:os";
import { join } from "node:path";
import { allSettings, differences, type SettingId, type Settings } from "../../contract/settings/derive.ts";
import { kebabCase, lorasAsText } from "../../contract/settings/flags.ts";
import type { Setting } from "../../contract/settings/setting.ts";
import type { ModelFileChoice } from "./sources.ts";

export interface CommandWish {
  readonly libraryFolder: string;
  /** A model by its id, or the files to name. */
  readonly model: { readonly id: string } | ModelFileChoice;
  /** What is to run. */
  readonly settings: Settings;
  /** What the command would run with these flags' values and no others; `null` where it would refuse. */
  readonly resolve: (flags: Partial<Settings>) => Settings | null;
}

/** These come from other flags, or are the command's own arguments. */
const notFlags: readonly SettingId[] = ["prompt", "model"];
/** Sizes say each other: the first ones are dropped where the later ones, and the shape of a picture, say enough. One side
 * alone would keep the frame from taking that shape. */
const sizes: readonly (readonly SettingId[])[] = [
  ["width", "height"],
  ["width"],
  ["height"],
  ["aspectRatio"],
  ["resolution"],
  ["mode"],
];

/** The whole line, quoted for a POSIX shell. */
export function commandLine(wish: CommandWish): string {
  const { libraryFolder, model, settings } = wish;
  const { prompt } = settings;
  // A prompt that looks like a flag is named as what it is.
  const words = ["./rushes", "generate", prompt.startsWith("-") || prompt === "" ? `--prompt=${prompt}` : prompt];
  if (libraryFolder !== join(homedir(), "Videos", "Rushes")) words.push("--library", libraryFolder);
  if ("id" in model) words.push("--model", model.id);
  else {
    const { ditPath, ditLowPath, vaePath, textEncoderPath, tokenizerPath } = model;
    const paths = { ditPath, ditLowPath, vaePath, textEncoderPath, tokenizerPath };
    for (const [key, path] of Object.entries(paths)) if (path) words.push(`--${kebabCase(key)}`, path);
  }
  for (const [id, value] of Object.entries(neededFlags(wish))) {
    const setting = allSettings.find((each) => each.id === id);
    if (setting) words.push(...flagWords(setting, value));
  }
  return words.map(quoted).join(" ");
}

/** The fewest flags that lead to the settings. */
function neededFlags({ settings, resolve }: CommandWish): Partial<Settings> {
  const usual = resolve({});
  const wanted = usual ? differences(usual, settings).map(({ id }) => id) : allSettings.map(({ id }) => id);
  let flags = pick(
    settings,
    wanted.filter((id) => !notFlags.includes(id)),
  );
  const leadsThere = (given: Partial<Settings>) => {
    const resolved = resolve(given);
    return resolved !== null && differences(resolved, settings).every(({ id }) => notFlags.includes(id));
  };
  // One value may pull another along (a resolution its width): then that one is said too.
  for (let round = 0; round < allSettings.length && !leadsThere(flags); round++) {
    const resolved = resolve(flags);
    const off = resolved ? differences(resolved, settings).map(({ id }) => id) : [];
    const missing = off.filter((id) => !notFlags.includes(id) && !(id in flags));
    if (missing.length === 0) break;
    flags = { ...flags, ...pick(settings, missing) };
  }
  for (const ids of sizes) {
    const fewer = Object.fromEntries(Object.entries(flags).filter(([id]) => !ids.includes(id as SettingId)));
    if (leadsThere(fewer)) flags = fewer;
  }
  return pick(
    flags as Settings,
    allSettings.map((each) => each.id).filter((id) => id in flags),
  );
}

function pick(settings: Settings, ids: readonly SettingId[]): Partial<Settings> {
  return Object.fromEntries(ids.map((id) => [id, settings[id]])) as Partial<Settings>;
}

function flagWords(setting: Setting, value: unknown): string[] {
  const flag = `--${kebabCase(setting.id)}`;
  if (setting.kind === "boolean") return [value === true ? flag : `${flag}=false`];
  const text = flagText(setting, value);
  // A value that may be left out stands behind =, and so does one that looks like a flag or is empty.
  const joined = (setting.kind === "choice" && setting.bare !== undefined) || text === "" || text.startsWith("-");
  return joined ? [`${flag}=${text}`] : [flag, text];
}

function flagText(setting: Setting, value: unknown): string {
  if (value === null) return setting.absent === "random" ? "random" : "auto";
  return setting.kind === "loras" ? lorasAsText(value as Settings["loras"]) : String(value);
}

/** Plain words stay as they are; everything else in single quotes. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
