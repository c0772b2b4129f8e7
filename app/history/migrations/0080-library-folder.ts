// Where the library lay when it was last opened, so that one that is copied or moved can take its paths along.
import type { Migration } from "./migration.ts";

export const libraryFolderMigration: Migration = {
  number: 80,
  name: "library folder",
  sql: `
-- More than one where the same folder was opened by several names (links, mounts): paths begin with any of them. None until
-- the library is opened the first time (writes/library-folder.ts).
CREATE TABLE library_folders (
  path TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
`,
};
