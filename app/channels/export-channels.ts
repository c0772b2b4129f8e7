// Answers the exports' channels from the studio.
import type { ExportChannels } from "../../contract/channels/exports.ts";
import type { Studio } from "../studio/studio.ts";
import type { HandlersOf } from "./handlers.ts";

export function exportChannels(studio: Pick<Studio, "exports">): HandlersOf<ExportChannels> {
  return {
    "exports:start": async ({ jobId, format, folder }, door) => {
      const allowed = folder === undefined ? null : await door.allowedPath(folder);
      return { export: studio.exports.start({ jobId, format, folder: allowed }) };
    },
    "exports:list": () => ({ exports: studio.exports.list() }),
    "exports:cancel": ({ id }) => {
      studio.exports.cancel(id);
      return {};
    },
  };
}
