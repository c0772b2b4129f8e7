// Answers the channels about the studio as a whole.
import type { StudioChannels } from "../../contract/channels/studio.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Studio } from "../studio/studio.ts";
import type { HandlersOf } from "./handlers.ts";

export function studioChannels(studio: Studio, version: string): HandlersOf<StudioChannels> {
  return {
    "studio:hello": (_request, { kind, capabilities, roots, language }) => ({
      version,
      libraryFolder: studio.libraryFolder,
      door: kind,
      capabilities,
      roots,
      language,
    }),
    "studio:session": () => studio.form.session(),
    "studio:keepSession": ({ session }) => {
      studio.form.keepSession(session);
      return {};
    },
    "studio:restoreVideo": async ({ path }, door) => studio.form.restoreVideo(await door.allowedPath(path)),
    "studio:choosePath": async ({ what }, door) => ({ path: await door.choosePath(what) }),
    "studio:chooseLanguage": ({ language }, door) => {
      door.chooseLanguage(language);
      return {};
    },
    "studio:showInFolder": async (request, door) => {
      await door.showInFolder("jobId" in request ? videoOf(studio, request.jobId) : folderOf(studio, request.folder));
      return {};
    },
  };
}

function videoOf(studio: Studio, jobId: number): string {
  const video = studio.get(jobId)?.video;
  if (!video) throw new RushesError("job.unknown", `Job ${jobId} has no video.`);
  return video.path;
}

function folderOf({ files }: Studio, folder: "library" | "logs" | "videos"): string {
  return folder === "library" ? files.folder : files[folder];
}
