// What the flags of `generate` and `settings` say, as one source of values.
import { allSettings, type SettingId } from "../../contract/settings/derive.ts";
import { type NamedValues, readNamedValues } from "../settings/sources.ts";
import type { OptionValues } from "./context.ts";

const otherFlags = ["ditPath", "ditLowPath", "vaePath", "textEncoderPath", "tokenizerPath", "output"] as const;

/** Throws settings.invalid. Commander's camelCase names of setting flags are the settings' ids. */
export function flagValues(options: OptionValues): NamedValues {
  const ids: readonly (SettingId | (typeof otherFlags)[number])[] = [...allSettings.map(({ id }) => id), ...otherFlags];
  const given = ids.filter((id) => options[id] !== undefined).map((id) => [id, options[id]]);
  return readNamedValues(Object.fromEntries(given) as Record<string, unknown>, null, "text");
}
