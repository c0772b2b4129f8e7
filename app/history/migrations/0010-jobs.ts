// The first form of the history: jobs and all that belongs to one, full-text search, and the lease of the process that
// runs the queue.
import type { Migration } from "./migration.ts";

export const jobsMigration: Migration = {
  number: 10,
  name: "jobs",
  sql: `
CREATE TABLE runner_lease (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  token TEXT NOT NULL,
  process_id INTEGER NOT NULL,
  process_start TEXT NOT NULL,
  host TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('generate', 'decode')),
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  position REAL NOT NULL,
  prompt TEXT NOT NULL,
  search_text TEXT NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('t2v', 'i2v')),
  model TEXT NOT NULL,
  files TEXT NOT NULL CHECK (json_valid(files)),
  input_image TEXT,
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  seed INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  num_frames INTEGER NOT NULL,
  num_steps INTEGER NOT NULL,
  quant_linear TEXT NOT NULL,
  attention_type TEXT NOT NULL,
  sla_topk REAL NOT NULL,
  sigma_max REAL NOT NULL,
  token_ids BLOB NOT NULL,
  token_count INTEGER NOT NULL,
  source_job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  interruptions INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  resumed_from_step INTEGER NOT NULL DEFAULT 0,
  runner TEXT,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  progress TEXT,
  warnings TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(warnings)),
  int8 TEXT,
  planned_seconds REAL,
  planned_peak_bytes INTEGER,
  latents_path TEXT,
  save_path TEXT,
  pending_video_path TEXT,
  video_path TEXT,
  poster_path TEXT,
  copy_path TEXT,
  video_bytes INTEGER,
  video_frames INTEGER,
  video_width INTEGER,
  video_height INTEGER,
  error_code TEXT,
  error_sentence TEXT,
  error_advice TEXT,
  error_detail TEXT
) STRICT;

CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_model ON jobs (model, id);
CREATE INDEX jobs_by_seed ON jobs (seed);
CREATE INDEX jobs_with_latents ON jobs (id) WHERE latents_path IS NOT NULL;
CREATE INDEX jobs_in_queue ON jobs (state, position, id);

CREATE TABLE job_changes (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  state TEXT NOT NULL,
  at INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX job_changes_by_job ON job_changes (job_id, id);

CREATE TABLE job_stages (
  job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  stage TEXT NOT NULL,
  seconds REAL NOT NULL,
  peak_bytes INTEGER,
  planned_seconds REAL,
  planned_bytes INTEGER,
  PRIMARY KEY (job_id, attempt, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_step_latents (
  job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  path TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (job_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_log_lines (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warning')),
  line TEXT NOT NULL
) STRICT;
CREATE INDEX job_log_lines_by_job ON job_log_lines (job_id, id);

-- search_text is the prompt with ideographs set apart (search-text.ts), so that any run of them is a phrase to find.
CREATE VIRTUAL TABLE job_search USING fts5 (
  search_text, content = 'jobs', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER jobs_search_insert AFTER INSERT ON jobs BEGIN
  INSERT INTO job_search (rowid, search_text) VALUES (new.id, new.search_text);
END;
CREATE TRIGGER jobs_search_delete AFTER DELETE ON jobs BEGIN
  INSERT INTO job_search (job_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
END;
CREATE TRIGGER jobs_search_update AFTER UPDATE OF search_text ON jobs BEGIN
  INSERT INTO job_search (job_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
  INSERT INTO job_search (rowid, search_text) VALUES (new.id, new.search_text);
END;
`,
};
