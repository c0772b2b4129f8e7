// Every migration in the order in which they run.
import { jobsMigration } from "./0010-jobs.ts";
import { queueMigration } from "./0020-queue.ts";
import { resultsMigration } from "./0030-results.ts";
import { sessionMigration } from "./0040-session.ts";
import { inputsMigration } from "./0050-inputs.ts";
import { deviceMemoryMigration } from "./0060-device-memory.ts";
import { loweredPlanMigration } from "./0070-lowered-plan.ts";
import { libraryFolderMigration } from "./0080-library-folder.ts";
import type { Migration } from "./migration.ts";

export const migrations: readonly Migration[] = [
  jobsMigration,
  queueMigration,
  resultsMigration,
  sessionMigration,
  inputsMigration,
  deviceMemoryMigration,
  loweredPlanMigration,
  libraryFolderMigration,
];
