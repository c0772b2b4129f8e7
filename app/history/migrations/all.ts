// Every migration in the order in which they run.
import { jobsMigration } from "./0010-jobs.ts";
import type { Migration } from "./migration.ts";

export const migrations: readonly Migration[] = [jobsMigration];
