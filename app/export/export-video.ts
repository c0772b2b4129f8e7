// A finished video in another form: MP4 (a copy), WebM, GIF, or one PNG a frame. Nothing is ever overwritten, and what fails
// or is cancelled leaves nothing.
import { basename, extname, join } from "node:path";
import { stat } from "node:fs/promises";
import { exportFormats, type ExportFormat } from "../../contract/channels/exports.ts";
import { RushesError } from "../../contract/errors.ts";
import { openFile } from "../media/byte-reader.ts";
import { readClip, type SourceClip } from "../media/read-clip.ts";
import type { VideoRecord } from "../media/video-record.ts";
import { addFile, addFolder, addStreamedFile, type Append } from "../media/whole-file.ts";
import { type ExportOptions, ExportRun } from "./export-run.ts";
import type { ClipEngine } from "./pictures.ts";
import { webmBytes } from "./write-webm.ts";
import { writeGif } from "./write-gif.ts";
import { pictureFiles, writeZip } from "./write-pictures.ts";

export interface ExportSource {
  /** The finished MP4. Size, frames and frame rate are read from it. */
  path: string;
  /** How it was made; the file's own word when absent. Goes into WebM and the first PNG. */
  record?: VideoRecord | null;
}

export interface Exported {
  /** The file, or the folder of pictures. */
  path: string;
  bytes: number;
}

const copyBytes = 1 << 20;

/**
 * Exports a finished video. `target` is a folder that exists or ends in a separator, where the result is called as the
 * video is (NAME.webm, NAME_frames/), or the wanted path of the result; pictures whose path ends in .zip become one zip
 * file. A taken name gets -2, -3, ...
 *
 * WebM, GIF and PNG need the engine's process, where they run beside a generation; hand over a client of its own
 * (`new EngineClient()`, closed afterwards) and a file that crashes a codec cannot take a running job with it.
 *
 * Throws file.unreadable (missing, damaged or foreign source), file.unwritable, disk.full, export.unsupported,
 * export.cancelled, engine.missing, engine.unavailable, engine.crashed.
 */
export async function exportVideo(
  engine: ClipEngine,
  source: ExportSource,
  format: ExportFormat,
  target: string,
  options: ExportOptions = {},
): Promise<Exported> {
  if (!exportFormats.includes(format))
    throw new RushesError("export.unsupported", `A video cannot be exported as ${String(format)}.`);
  const wanted = await wantedPath(source.path, format, target);
  return ExportRun.of(engine, options, async (run) => {
    let bytes = 0;
    const counted = (append: Append): Append => {
      return async (content) => {
        run.check();
        await append(content);
        bytes += content.length;
      };
    };
    const streamed = async (write: (append: Append) => Promise<void>) =>
      addStreamedFile(wanted, async (append) => write(counted(append)));
    const path = await writers[format](run, source, wanted, streamed, (count) => (bytes += count));
    run.progress(1);
    return { path, bytes };
  });
}

type Writer = (
  run: ExportRun,
  source: ExportSource,
  wanted: string,
  streamed: (write: (append: Append) => Promise<void>) => Promise<string>,
  count: (bytes: number) => void,
) => Promise<string>;

const writers: Record<ExportFormat, Writer> = {
  mp4: async (run, source, _wanted, streamed) => streamed((append) => copy(run, source.path, append)),
  webm: async (run, source, wanted, _streamed, count) => {
    const clip = await readClip(source.path, run.signal);
    const bytes = await webmBytes(run, clip, recordOf(source, clip));
    count(bytes.length);
    run.check();
    return addFile(wanted, bytes);
  },
  gif: async (run, source, _wanted, streamed) => {
    const clip = await readClip(source.path, run.signal);
    return streamed((append) => writeGif(run, clip, append));
  },
  png: async (run, source, wanted, streamed, count) => {
    const clip = await readClip(source.path, run.signal);
    const files = pictureFiles(run, clip, recordOf(source, clip));
    if (isZip(wanted)) return streamed((append) => writeZip(files, basename(wanted, extname(wanted)), append));
    return addFolder(wanted, async (add) => {
      for await (const { name, bytes } of files) {
        run.check();
        await add(name, bytes);
        count(bytes.length);
      }
    });
  },
};

/** The video as it is, settings included. */
async function copy(run: ExportRun, path: string, append: Append): Promise<void> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    for (let at = 0; ;) {
      const { buffer, bytesRead } = await file.read(new Uint8Array(copyBytes), 0, copyBytes, at);
      if (bytesRead === 0) return;
      await append(buffer.subarray(0, bytesRead));
      at += bytesRead;
      run.progress(Math.min(1, at / size));
    }
  } finally {
    await file.close();
  }
}

function recordOf(source: ExportSource, clip: SourceClip): VideoRecord | null {
  return source.record === undefined ? clip.record : source.record;
}

async function wantedPath(video: string, format: ExportFormat, target: string): Promise<string> {
  const isFolder = /[\\/]$/.test(target) || (await stat(target).catch(() => null))?.isDirectory() === true;
  if (isFolder) return join(target, exportName(video, format));
  if (format === "png" || extname(target) !== "") return target;
  return `${target}.${format}`;
}

/** What a video's export is called: NAME.webm, NAME_frames. */
export function exportName(video: string, format: ExportFormat): string {
  const name = basename(video, extname(video));
  return format === "png" ? `${name}_frames` : `${name}.${format}`;
}

function isZip(path: string): boolean {
  return extname(path).toLowerCase() === ".zip";
}
