// What the window keeps between starts: one row of plain JSON, read through the settings' own checks.
import type { Migration } from "./migration.ts";

export const sessionMigration: Migration = {
  number: 40,
  name: "session",
  sql: `
CREATE TABLE session (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  value TEXT NOT NULL CHECK (json_valid(value)),
  kept_at INTEGER NOT NULL
) STRICT;
`,
};
