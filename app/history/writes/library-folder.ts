// A library is one folder, wherever it lies: paths inside it are written down whole, so that they can be handed to anybody,
// and are moved here when the folder is another one than before.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { HistoryDatabase } from "../database.ts";
import { folderOf, isSameFolder, libraryPathParts, mover } from "../library-paths.ts";
import { ownIdentity } from "../process-identity.ts";

/** Columns that hold a path or nothing. */
const jobColumns = [
  "input_image",
  "latents_path",
  "save_path",
  "pending_video_path",
  "video_path",
  "poster_path",
  "copy_path",
];

/** Sees to it that the history's paths inside the library begin with the folder it lies in now; for whoever opens a library,
 * before anything is read. A copy thereby lets go of the original's files. */
export function settleLibrary(database: HistoryDatabase): void {
  const folder = folderOf(database);
  const isHere = (former: string) => former === folder || isSameFolder(former, folder);
  const known = readFolders(database);
  if (known.includes(folder) && known.every(isHere)) return;
  database
    .transaction(() => {
      const written = readFolders(database);
      const former = written.length > 0 ? written : formerFolders(database, folder);
      const gone = former.filter((one) => !isHere(one));
      if (gone.length > 0) movePaths(database, gone, folder);
      database.exec("DELETE FROM library_folders");
      const write = database.prepare("INSERT OR IGNORE INTO library_folders (path) VALUES (?)");
      for (const one of [folder, ...former.filter(isHere)]) write.run(one);
    })
    .immediate();
}

function readFolders(database: HistoryDatabase): string[] {
  return database.prepare("SELECT path FROM library_folders").pluck().all() as string[];
}

/** Where an older version's paths say that the library lay: folders of which the same file lies here. */
function formerFolders(database: HistoryDatabase, folder: string): string[] {
  const paths = database
    .prepare(
      `SELECT video_path FROM jobs UNION SELECT poster_path FROM jobs UNION SELECT pending_video_path FROM jobs
       UNION SELECT latents_path FROM jobs UNION SELECT path FROM job_step_latents UNION SELECT path FROM kept_inputs
       UNION SELECT path FROM discards`,
    )
    .pluck()
    .all() as (string | null)[];
  const found = new Set<string>();
  for (const path of paths) {
    const parts = path === null ? null : libraryPathParts(path);
    if (parts === null || parts.folder === folder || found.has(parts.folder)) continue;
    if (existsSync(join(folder, parts.kind, parts.name))) found.add(parts.folder);
  }
  return [...found];
}

function movePaths(database: HistoryDatabase, former: readonly string[], folder: string): void {
  const moved = mover(former, folder);
  const define = (name: string, change: (text: string) => string) =>
    database.function(name, { deterministic: true }, (text) => (text === null ? null : change(text as string)));
  // Most jobs' settings name no file: reading them all would take seconds.
  const spellings = former.map((one) => JSON.stringify(one).slice(1, -1));
  const defineJson = (name: string, change: (value: JsonObject) => JsonObject) =>
    define(name, (text) => (spellings.some((one) => text.includes(one)) ? changedJson(text, change) : text));
  define("moved_path", moved);
  defineJson("moved_files", (files) => withMoved(files, Object.keys(files), moved));
  defineJson("moved_settings", (settings) => movedSettings(settings, moved));
  defineJson("moved_session", (session) =>
    isRecord(session["values"]) ? { ...session, values: movedSettings(session["values"], moved) } : session,
  );
  const move = (table: string, column: string, change: string, verb = "UPDATE") =>
    database.exec(`${verb} ${table} SET ${column} = ${change}(${column}) WHERE ${column} IS NOT ${change}(${column})`);
  for (const column of jobColumns) move("jobs", column, "moved_path");
  move("jobs", "files", "moved_files");
  move("jobs", "settings", "moved_settings");
  move("session", "value", "moved_session");
  move("job_step_latents", "path", "moved_path");
  // The same file may be named under both folders. Not so above: jobs' triggers would replace too.
  move("kept_inputs", "path", "moved_path", "UPDATE OR REPLACE");
  move("discards", "path", "moved_path", "UPDATE OR REPLACE");
  database.exec("DELETE FROM discards WHERE path IN (SELECT path FROM kept_inputs)");
  // A copy brings the lease of the process that runs the original's queue: it lives, and never comes here.
  database.prepare("DELETE FROM runner_lease WHERE host = ?").run(ownIdentity().host);
}

type JsonObject = Record<string, unknown>;

/** The picture and the LoRAs are the settings that name files. */
function movedSettings(settings: JsonObject, moved: (path: string) => string): JsonObject {
  const { loras } = settings;
  const changed = withMoved(settings, ["image"], moved);
  if (!Array.isArray(loras)) return changed;
  return { ...changed, loras: loras.map((lora) => (isRecord(lora) ? withMoved(lora, ["file"], moved) : lora)) };
}

function withMoved(record: JsonObject, names: readonly string[], moved: (path: string) => string): JsonObject {
  const changed = { ...record };
  for (const name of names) {
    const value = record[name];
    if (typeof value === "string") changed[name] = moved(value);
  }
  return changed;
}

function changedJson(text: string, change: (value: JsonObject) => JsonObject): string {
  const value: unknown = JSON.parse(text);
  return isRecord(value) ? JSON.stringify(change(value)) : text;
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
