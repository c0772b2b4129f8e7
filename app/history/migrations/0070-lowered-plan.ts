// How a job's plan was lowered when memory was full, and the change that would have helped one that had to fail.
import type { Migration } from "./migration.ts";

export const loweredPlanMigration: Migration = {
  number: 70,
  name: "lowered plan",
  sql: `
ALTER TABLE jobs ADD COLUMN lowered_plan TEXT CHECK (json_valid(lowered_plan));
ALTER TABLE jobs ADD COLUMN error_fix TEXT CHECK (json_valid(error_fix));
`,
};
