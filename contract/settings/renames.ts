// Ids that settings had in earlier versions of the catalogue. Presets, config files and old jobs pass through here
// before they are read.
import type { SettingId } from "./derive.ts";

export interface Rename {
  /** The catalogue version that no longer knows `from`. */
  readonly version: number;
  readonly from: string;
  readonly to: SettingId;
}

/** Catalogue version 1 is the first: nothing has been renamed yet. Appended to, never edited. */
export const renames: readonly Rename[] = [];

/** The same values under today's ids. A value already present under the newer id wins. */
export function applyRenames(
  values: Readonly<Record<string, unknown>>,
  version: number,
  list: readonly Rename[] = renames,
): Record<string, unknown> {
  const current: Record<string, unknown> = { ...values };
  for (const { version: since, from, to } of list) {
    if (version >= since || !(from in current)) continue;
    current[to] ??= current[from];
    delete current[from];
  }
  return current;
}
