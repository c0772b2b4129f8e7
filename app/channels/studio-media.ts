// Which file a media address means, asked of the studio. What only a door has (uploads) it answers itself.
import { extname } from "node:path";
import { readJob } from "../history/reads/jobs.ts";
import { pictureTypes } from "../media/picture-type.ts";
import type { Studio } from "../studio/studio.ts";
import type { MediaAnswer, MediaItem } from "./media-response.ts";

const endings: Readonly<Record<string, string>> = { ...pictureTypes, jpeg: pictureTypes.jpg };

export function studioMedia(studio: Studio, { kind, id, step }: MediaItem): MediaAnswer {
  const jobId = Number(id);
  switch (kind) {
    case "preview": {
      const bytes = studio.preview(jobId, step);
      return bytes && { bytes, type: "image/png" };
    }
    case "video":
      return fileOf(readJob(studio.database, jobId)?.video?.path, "video/mp4");
    case "poster":
      return fileOf(readJob(studio.database, jobId)?.video?.posterPath, "image/png");
    case "input":
      return pictureOf(readJob(studio.database, jobId)?.settings.image);
    case "export":
      return downloadOf(studio, id);
    case "upload":
      return null;
  }
}

function downloadOf(studio: Studio, id: string): MediaAnswer {
  const download = studio.exports.download(id);
  return download && { path: download.path, type: download.mediaType, downloadName: download.name };
}

function fileOf(path: string | undefined, type: string): MediaAnswer {
  return path === undefined ? null : { path, type };
}

/** Only what is a picture by its name: a job's settings are no way to other files. */
function pictureOf(path: string | null | undefined): MediaAnswer {
  const ending = extname(path ?? "")
    .slice(1)
    .toLowerCase();
  const type = endings[ending];
  return path && type !== undefined ? { path, type } : null;
}
