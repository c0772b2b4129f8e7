// The words of the command line before they are parsed: flags in kebab-case, TurboDiffusion's underscores and camelCase
// become one spelling, and a flag whose value may be left out never takes the next word for it.
import type { Setting } from "../../contract/settings/setting.ts";
import { allSettings, settingOf, type SettingId } from "../../contract/settings/derive.ts";
import { kebabCase, settingIdOf } from "../../contract/settings/flags.ts";
import { isSavePathKey, modelFileKey } from "../settings/sources.ts";

export interface FlagOption {
  /** With its value's name: "--num-steps <number>". */
  readonly flags: string;
  readonly help: string;
  readonly group: string;
  /** May be given several times. */
  readonly isList: boolean;
}

const shortFlags = new Map([
  ["-n", "--num-samples"],
  ["-o", "--output"],
  ["-p", "--prompt"],
]);

/** Flags that take a value and are not settings. */
const valueFlags = new Set([
  "--config",
  "--preset",
  "--prompts-file",
  "--library",
  "--output",
  "--dit-path",
  "--dit-low-path",
  "--vae-path",
  "--text-encoder-path",
  "--tokenizer-path",
  "--filter",
  "--limit",
  "--state",
  "--port",
  "--host",
  "--allow-host",
  "--root",
  "--token",
]);

/** Rewrites flags as `--kebab-case` or `--kebab-case=value`. `--quant_linear` becomes `--quant-linear=int8`, `--no-ode`
 * `--ode=false`; a value stands behind `=` only where it may be left out. What is not known passes unchanged. */
export function normaliseArguments(words: readonly string[]): string[] {
  const result: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--") return [...result, ...words.slice(index)];
    const flag = readFlag(shortFlags.get(word) ?? word);
    if (flag === null) {
      result.push(word);
      continue;
    }
    const { name, value, setting } = flag;
    const bare = setting ? bareValue(setting, flag.negated) : undefined;
    const takesValue = setting !== null || valueFlags.has(name);
    const next = words[index + 1];
    if (value !== undefined) result.push(`${name}=${value}`);
    else if (bare !== undefined) result.push(`${name}=${bare}`);
    else if (takesValue && next !== undefined) {
      result.push(`${name}=${next}`);
      index++;
    } else result.push(name);
  }
  return result;
}

interface Flag {
  name: string;
  value: string | undefined;
  setting: Setting | null;
  negated: boolean;
}

function readFlag(word: string): Flag | null {
  const parts = /^--(?<name>[A-Za-z][\w-]*)(?:=(?<value>[\s\S]*))?$/.exec(word)?.groups;
  if (!parts?.["name"]) return null;
  const spelling = parts["name"];
  const positive = spelling.replace(/^no[-_]/i, "");
  const id = settingIdOf(spelling);
  const negatedId = id === null && positive !== spelling ? settingIdOf(positive) : null;
  const known = id ?? (negatedId !== null && mayNegate(settingOf(negatedId)) ? negatedId : null);
  const setting = known === null ? null : settingOf(known);
  const name = setting ? `--${kebabCase(setting.id)}` : `--${canonical(spelling)}`;
  return { name, value: parts["value"], setting, negated: known !== null && known === negatedId };
}

function canonical(spelling: string): string {
  const fileKey = modelFileKey(spelling);
  if (fileKey !== null) return kebabCase(fileKey);
  return isSavePathKey(spelling) ? "output" : spelling.replaceAll("_", "-").toLowerCase();
}

/** What a flag without a value means; undefined where it must have one. */
function bareValue(setting: Setting, negated: boolean): string | undefined {
  if (setting.kind === "boolean") return String(!negated);
  if (negated) return "off";
  return setting.kind === "choice" ? setting.bare : undefined;
}

function mayNegate(setting: Setting): boolean {
  return setting.kind === "boolean" || (setting.kind === "choice" && setting.choices.some(({ id }) => id === "off"));
}

/** One option for each setting, for commander and --help. */
export function settingOptions(): (FlagOption & { id: SettingId })[] {
  return allSettings.map((setting) => ({
    id: setting.id,
    flags: `--${kebabCase(setting.id)} ${placeholder(setting)}`,
    help: `${setting.help} ${rangeText(setting)}`.trim(),
    group: setting.advanced ? "Advanced settings:" : "Settings:",
    isList: setting.kind === "loras",
  }));
}

/** In square brackets, with its =, where the value may be left out. */
function placeholder(setting: Setting): string {
  const mayBeLeftOut = bareValue(setting, false) !== undefined;
  return mayBeLeftOut ? `[=${valueName(setting)}]` : `<${valueName(setting)}>`;
}

function valueName(setting: Setting): string {
  switch (setting.kind) {
    case "text":
      return setting.id === "image" ? "file" : "text";
    case "integer":
    case "real":
      return "number";
    case "boolean":
      return "on|off";
    case "choice":
      return setting.choices.map(({ id }) => id).join("|");
    case "resolution":
      return "480p|720p|WxH";
    case "loras":
      return "file[:strength][,...]";
  }
}

function rangeText(setting: Setting): string {
  const standard = setting.default === null ? setting.absent : String(setting.default);
  switch (setting.kind) {
    case "integer":
    case "real":
      return `(${setting.min}-${setting.max}, default ${setting.zero !== undefined && setting.default === 0 ? setting.zero : standard})`;
    case "boolean":
      return `(default ${setting.default ? "on" : "off"})`;
    case "choice":
    case "resolution":
      return `(default ${standard}${"bare" in setting && setting.bare ? `; alone it means ${setting.bare}` : ""})`;
    default:
      return "";
  }
}
