// The graphics card a job ran on, and what its stages held of the card's memory.
import type { Migration } from "./migration.ts";

export const deviceMemoryMigration: Migration = {
  number: 60,
  name: "device memory",
  sql: `
ALTER TABLE jobs ADD COLUMN device_name TEXT;
ALTER TABLE job_stages ADD COLUMN device_bytes INTEGER;
ALTER TABLE job_stages ADD COLUMN planned_device_bytes INTEGER;
`,
};
