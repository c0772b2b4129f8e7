// The queue as a window shows it: paused or not, a job that is to be kept as it is, what a job is expected to take; the
// names of int8 layers; and counts by which other programs notice what changed.
import type { Migration } from "./migration.ts";

export const queueMigration: Migration = {
  number: 20,
  name: "queue",
  sql: `
CREATE TABLE queue_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1))
) STRICT;
INSERT INTO queue_state (id, paused) VALUES (1, 0);

-- A list of layer names is the same for every job of a model: kept once.
CREATE TABLE int8_layers (
  id INTEGER PRIMARY KEY,
  names TEXT NOT NULL UNIQUE CHECK (json_valid(names))
) STRICT;

ALTER TABLE jobs ADD COLUMN keep_requested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN kept_step INTEGER;
ALTER TABLE jobs ADD COLUMN expected_seconds REAL;
ALTER TABLE jobs ADD COLUMN int8_layers_id INTEGER REFERENCES int8_layers (id);

-- Finished jobs by what decides how long a stage takes on this machine (learnt-seconds.ts).
CREATE INDEX jobs_alike ON jobs (
  model, attention_type, quant_linear, json_extract(settings, '$.device'), json_extract(settings, '$.threads'), id
) WHERE state = 'done' AND kind = 'generate' AND resumed_from_step = 0 AND kept_step IS NULL;

-- Every change of a subject counts its revision up, so that other processes see what to look at again. New rows of
-- job_changes speak for themselves.
CREATE TABLE library_revisions (
  subject TEXT PRIMARY KEY,
  revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO library_revisions (subject, revision) VALUES ('queue', 0), ('history', 0);
CREATE TRIGGER queue_paused AFTER UPDATE OF paused ON queue_state BEGIN
  UPDATE library_revisions SET revision = revision + 1 WHERE subject = 'queue';
END;
CREATE TRIGGER queue_reordered AFTER UPDATE OF position ON jobs WHEN new.state = 'queued' BEGIN
  UPDATE library_revisions SET revision = revision + 1 WHERE subject = 'queue';
END;
CREATE TRIGGER queue_edited AFTER UPDATE OF token_ids ON jobs BEGIN
  UPDATE library_revisions SET revision = revision + 1 WHERE subject = 'queue';
END;
CREATE TRIGGER history_shortened AFTER DELETE ON jobs BEGIN
  UPDATE library_revisions SET revision = revision + 1 WHERE subject = 'history';
END;
`,
};
