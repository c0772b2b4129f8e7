// What the window's history needs: favourites, the trash, stacks of variants, and indexes that answer every filter without
// reading the wide rows of jobs. `stack_key` is the connection's own function (stack-key.ts).
import type { Migration } from "./migration.ts";

export const resultsMigration: Migration = {
  number: 30,
  name: "results",
  sql: `
ALTER TABLE jobs ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN deleted_at INTEGER;
ALTER TABLE jobs ADD COLUMN stack_id INTEGER;

-- A stack is what the same prompt, mode, model and picture made. Small ids: a listing carries one beside each job's.
CREATE TABLE stacks (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE
) STRICT;

INSERT OR IGNORE INTO stacks (key) SELECT stack_key(prompt, mode, model, input_image) FROM jobs ORDER BY id;
UPDATE jobs SET stack_id = (SELECT id FROM stacks WHERE key = stack_key(prompt, mode, model, input_image));

CREATE TRIGGER jobs_stack_insert AFTER INSERT ON jobs BEGIN
  INSERT OR IGNORE INTO stacks (key) VALUES (stack_key(new.prompt, new.mode, new.model, new.input_image));
  UPDATE jobs SET stack_id = (
    SELECT id FROM stacks WHERE key = stack_key(new.prompt, new.mode, new.model, new.input_image)
  ) WHERE id = new.id;
END;
CREATE TRIGGER jobs_stack_update AFTER UPDATE OF prompt, mode, model, input_image ON jobs BEGIN
  INSERT OR IGNORE INTO stacks (key) VALUES (stack_key(new.prompt, new.mode, new.model, new.input_image));
  UPDATE jobs SET stack_id = (
    SELECT id FROM stacks WHERE key = stack_key(new.prompt, new.mode, new.model, new.input_image)
  ) WHERE id = new.id;
END;
-- A deleted job that is asked for again is no longer deleted.
CREATE TRIGGER jobs_leave_trash AFTER UPDATE OF state ON jobs WHEN new.state = 'queued' AND new.deleted_at IS NOT NULL BEGIN
  UPDATE jobs SET deleted_at = NULL WHERE id = new.id;
END;

CREATE TRIGGER history_marked AFTER UPDATE OF favourite, deleted_at ON jobs BEGIN
  UPDATE library_revisions SET revision = revision + 1 WHERE subject = 'history';
END;

-- Everything a listing filters by, in the order in which it is shown.
CREATE INDEX jobs_listed ON jobs (
  id, deleted_at, state, favourite, model, mode, width, height, created_at, seed, stack_id
);
CREATE INDEX jobs_stacked ON jobs (stack_id, deleted_at, state);
CREATE INDEX jobs_counted ON jobs (deleted_at, model, state, width, height, favourite);
CREATE INDEX jobs_by_latents ON jobs (latents_path) WHERE latents_path IS NOT NULL;
-- Deleting a row looks for the jobs that were decoded from it.
CREATE INDEX jobs_by_source ON jobs (source_job_id);

-- One letter is a beginning too, while somebody types.
DROP TABLE job_search;
CREATE VIRTUAL TABLE job_search USING fts5 (
  search_text, content = 'jobs', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
);
INSERT INTO job_search (job_search) VALUES ('rebuild');

-- Files of purged jobs that are still on the disk: their rows are gone in the same transaction that writes these.
CREATE TABLE discards (
  path TEXT PRIMARY KEY,
  -- 1: something the user may want back from the system's trash; 0: intermediate, removed for good.
  keepsake INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
};
