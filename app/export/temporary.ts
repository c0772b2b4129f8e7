// Exports for a browser: a file in a temporary folder that is streamed to it and then removed.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExportFormat } from "../../contract/channels/exports.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import { type ExportSource, exportName, exportVideo } from "./export-video.ts";
import type { ExportOptions } from "./export-run.ts";
import type { ClipEngine } from "./pictures.ts";

export interface TemporaryExport {
  path: string;
  /** What the browser should call it; pictures come as one zip file. */
  name: string;
  /** As in a Content-Type header. */
  mediaType: string;
  bytes: number;
  /** Removes the file. Safe to call twice. */
  remove(): Promise<void>;
}

const prefix = "rushes-export-";
const mediaTypes = { mp4: "video/mp4", webm: "video/webm", gif: "image/gif", png: "application/zip" } as const;

/** Exports into a folder of its own below `folder` (the system's for temporary files). Throws what exportVideo throws. */
export async function exportToTemporary(
  engine: ClipEngine,
  source: ExportSource,
  format: ExportFormat,
  { folder = tmpdir(), ...options }: ExportOptions & { folder?: string } = {},
): Promise<TemporaryExport> {
  await removeAbandoned(folder);
  const own = await mkdtemp(join(folder, `${prefix}${process.pid}-`)).catch((error: unknown) => {
    const { code, detail } = asRushesError(error);
    throw new RushesError(code === "disk.full" ? code : "file.unwritable", {
      sentence: `${folder} cannot be written.`,
      detail,
      cause: error,
    });
  });
  const remove = async () => rm(own, { recursive: true, force: true });
  try {
    const name = exportName(source.path, format) + (format === "png" ? ".zip" : "");
    const { path, bytes } = await exportVideo(engine, source, format, join(own, name), options);
    return { path, name, mediaType: mediaTypes[format], bytes, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What programs that were killed left behind. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const owner = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : NaN;
    if (Number.isInteger(owner) && owner > 0 && !isRunning(owner))
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
