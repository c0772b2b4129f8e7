// The library's copies of input pictures, and finding the jobs that use one.
import type { Migration } from "./migration.ts";

export const inputsMigration: Migration = {
  number: 50,
  name: "inputs",
  sql: `
-- Pictures elsewhere, which older jobs name, are not in it: they are never removed.
CREATE TABLE kept_inputs (
  path TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_input ON jobs (input_image) WHERE input_image IS NOT NULL;
`,
};
