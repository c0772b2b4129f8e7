// Keeping the window's session. What of the earlier one stays is decided in app/settings/session.ts.
import type { HistoryDatabase } from "../database.ts";

export function writeSessionValue(database: HistoryDatabase, value: unknown, now = Date.now()): void {
  database
    .prepare(
      `INSERT INTO session (id, value, kept_at) VALUES (1, @value, @now)
       ON CONFLICT (id) DO UPDATE SET value = @value, kept_at = @now`,
    )
    .run({ value: JSON.stringify(value), now });
}
