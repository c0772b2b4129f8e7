// A setting's value in the words of the current language: for "Reset Steps to 4", for lists of changes, for results.
import { type Lora, loraName, type SettingId, settingOf, type SettingValue } from "../../contract/settings/derive.ts";
import { text } from "../text/text.svelte.ts";

/** Long texts are cut to this many characters. */
const longest = 80;

/** The value as a person says it: "4", "Int8", "On", "random", "0.15". Undefined is an empty text. */
export function valueWords(id: SettingId, value: SettingValue | undefined): string {
  const setting = settingOf(id);
  const words = text.words.fields;
  if (value === undefined) return "";
  if (value === null) return words.absent(setting.absent ?? "");
  if (typeof value === "boolean") return value ? words.on : words.off;
  if (typeof value === "number") {
    if (value === 0 && "zero" in setting && setting.zero !== undefined) return words.auto;
    // A seed is a name, not an amount: no thousands separators.
    const number = id === "seed" ? String(value) : text.number(value, { maximumFractionDigits: 6 });
    return "unit" in setting && setting.unit !== undefined ? `${number} ${setting.unit}` : number;
  }
  if (typeof value === "string") {
    const label = text.setting(id).choices[value] ?? value;
    return label.length > longest ? `${label.slice(0, longest - 1)}…` : label;
  }
  return value.length === 0 ? words.noLoras : text.list(value.map(loraWords));
}

function loraWords(lora: Lora): string {
  return `${loraName(lora)} ${text.number(lora.strength)}`;
}
