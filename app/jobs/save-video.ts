// The last stage of a job: the video under its name in the library, its poster, the extra copy. Interrupted at any
// moment it leaves either nothing or the whole video, which the next attempt recognises by the job's uid inside.
import { existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { Job, JobVideo } from "../../contract/job.ts";
import type { HistoryDatabase } from "../history/database.ts";
import { writePendingVideo, writeVideo } from "../history/writes/runs.ts";
import { muxVideo, readSettings, type VideoPacket, type VideoRecord } from "../media/mp4.ts";
import { posterBytes, type Picture } from "../media/poster.ts";
import { addFile, removePartialsOf, replaceFile } from "../media/whole-file.ts";
import { withFileNames } from "../settings/file-names.ts";
import type { LibraryFiles } from "./library-files.ts";
import { copyTarget } from "./save-path.ts";

export interface Footage {
  packets: readonly VideoPacket[];
  poster: Picture;
  width: number;
  height: number;
}

/** Saves what the engine made; the job's settings are those that ran. Throws disk.full or file.unwritable; the library's
 * video stands when only the copy failed. */
export async function saveVideo(
  database: HistoryDatabase,
  files: LibraryFiles,
  job: Job,
  { packets, poster, width, height }: Footage,
): Promise<void> {
  const form = { width, height, frameRate: job.settings.fps };
  const bytes = await muxVideo(packets, form, recordOf(job));
  const posterPng = await posterBytes(poster);
  // The poster first: a video in the library always has one.
  const path = await addFile(files.videoPath(job), bytes, async (claimed) => {
    writePendingVideo(database, job.id, claimed);
    await replaceFile(posterPathOf(claimed), posterPng);
  });
  await finish(database, job, { path, bytes: bytes.length, frames: packets.length, width, height });
}

/** The video that an earlier attempt had finished, taken over: one that was interrupted, or whose copy failed. False when
 * there is none. */
export async function adoptVideo(database: HistoryDatabase, job: Job): Promise<boolean> {
  const path = job.pendingVideoPath ?? job.video?.path ?? null;
  if (path === null || !existsSync(path) || (await readSettings(path))?.job !== job.uid) return false;
  const { width, height, numFrames } = job.settings;
  await finish(database, job, { path, bytes: statSync(path).size, frames: numFrames, width, height });
  return true;
}

/** Removes what an attempt that will not be continued left beside the videos. */
export async function discardPending(job: Job): Promise<void> {
  if (job.pendingVideoPath === null || existsSync(job.pendingVideoPath)) return;
  await rm(posterPathOf(job.pendingVideoPath), { force: true });
}

async function finish(
  database: HistoryDatabase,
  job: Job,
  saved: Omit<JobVideo, "posterPath" | "copyPath">,
): Promise<void> {
  const video: JobVideo = { ...saved, posterPath: posterPathOf(saved.path), copyPath: null };
  writeVideo(database, job.id, video);
  if (job.savePath === null) return;
  const copyPath = await saveCopy(job.savePath, saved.path).catch((error: unknown) => {
    const { code, message, advice, detail } = asRushesError(error);
    throw new RushesError(code, {
      sentence: `The video is in the library (${saved.path}), but its copy failed: ${message}`,
      advice,
      detail,
    });
  });
  writeVideo(database, job.id, { ...video, copyPath });
}

async function saveCopy(savePath: string, videoPath: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const bytes = await readFile(videoPath);
  const target = copyTarget(savePath, basename(videoPath));
  await removePartialsOf(target.path);
  if (!target.replace) return addFile(target.path, bytes);
  await replaceFile(target.path, bytes);
  return target.path;
}

function posterPathOf(videoPath: string): string {
  return join(dirname(videoPath), `${basename(videoPath, extname(videoPath))}.png`);
}

function recordOf({ uid, model, settings }: Job): VideoRecord {
  return { rushes: 1, job: uid, model, settings: withFileNames(settings) };
}
