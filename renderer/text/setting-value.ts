// A recorded setting's value in words.
import { loraName, settingOf, type SettingId, type SettingValue } from "../../contract/settings/derive.ts";
import { text } from "./text.svelte.ts";

export function settingValue(id: SettingId, value: SettingValue | undefined): string {
  const setting = settingOf(id);
  const { fields } = text.words;
  if (value === undefined) return text.words.history.notSet;
  if (value === null) return setting.absent === null ? "–" : fields.absent(setting.absent);
  if (typeof value === "boolean") return value ? fields.on : fields.off;
  if (typeof value === "number") {
    if (value === 0 && "zero" in setting && setting.zero !== undefined) return fields.absent(setting.zero);
    // A seed is copied digit by digit.
    const shown = id === "seed" ? String(value) : text.number(value, { maximumFractionDigits: 4 });
    return "unit" in setting && setting.unit !== undefined ? `${shown} ${setting.unit}` : shown;
  }
  if (typeof value === "string") return text.setting(id).choices[value] ?? (value === "" ? "–" : value);
  if (value.length === 0) return fields.noLoras;
  return value
    .map((lora) => `${loraName(lora)}: ${text.number(lora.strength)} (${fields.experts[lora.expert]})`)
    .join("\n");
}
