// The window's last session as it was kept. What its values may be is decided in app/settings/session.ts.
import type { HistoryDatabase } from "../database.ts";

/** null: none was kept, or it is no JSON any more. */
export function readSessionValue(database: HistoryDatabase): unknown {
  const row = database.prepare("SELECT value FROM session WHERE id = 1").get() as { value: string } | undefined;
  try {
    return row ? (JSON.parse(row.value) as unknown) : null;
  } catch {
    return null;
  }
}
