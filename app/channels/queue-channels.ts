// Answers the queue's channels from the studio.
import type { Draft } from "../../contract/channels/generate.ts";
import type { QueueChannels } from "../../contract/channels/queue.ts";
import { RushesError } from "../../contract/errors.ts";
import type { LocalDraft, Studio } from "../studio/studio.ts";
import type { Door } from "./door.ts";
import type { HandlersOf } from "./handlers.ts";

/** Drafts of one request: twice what a list of prompts expands to. Each is planned before any is accepted. */
const mostDrafts = 1000;

/** Gives the path of a picture that was uploaded; throws request.invalid where there is none of that id. */
export type UploadPath = (uploadId: string) => string | Promise<string>;

export function queueChannels(studio: Studio, uploadPath: UploadPath): HandlersOf<QueueChannels> {
  const { queue } = studio;
  const local = (draft: Draft, door: Door) => localDraft(draft, door, uploadPath);
  return {
    "queue:state": () => queue.state(),
    "queue:add": async ({ drafts, next }, door) => {
      if (drafts.length > mostDrafts)
        throw new RushesError("request.invalid", {
          sentence: `${drafts.length.toLocaleString("en-US")} drafts came at once; at most ${mostDrafts.toLocaleString("en-US")} are taken.`,
          advice: "Add them in parts.",
        });
      const locals = await Promise.all(drafts.map((draft) => local(draft, door)));
      return { jobs: await queue.add(locals, next ? "next" : "end") };
    },
    "queue:move": ({ jobId, beforeJobId }) => {
      queue.move(jobId, beforeJobId);
      return {};
    },
    "queue:runNext": ({ jobId }) => {
      queue.runNext(jobId);
      return {};
    },
    "queue:edit": async ({ jobId, draft }, door) => ({ job: await queue.edit(jobId, await local(draft, door)) }),
    "queue:remove": ({ jobIds }) => {
      queue.remove(jobIds);
      return {};
    },
    "queue:pause": () => {
      queue.pause();
      return {};
    },
    "queue:resume": () => {
      queue.resume();
      return {};
    },
    "queue:cancel": ({ jobId }) => {
      studio.cancel(jobId);
      return {};
    },
    "queue:keep": ({ jobId }) => {
      queue.keep(jobId);
      return {};
    },
    "queue:retry": ({ jobId, ...changes }) => ({ job: studio.again(jobId, changes) }),
    "queue:decodeAgain": async ({ jobId }) => ({ job: await studio.decodeAgain(jobId) }),
  };
}

/** The draft with its picture as a path this door may use, and the door's word on others. Throws path.refused or
 * request.invalid. */
export async function localDraft(draft: Draft, door: Door, uploadPath: UploadPath): Promise<LocalDraft> {
  const { values, presetId = null, image } = draft;
  const local: LocalDraft = { values, presetId, allowedPath: (path) => door.allowedPath(path) };
  if (image && "uploadId" in image) return { ...local, imagePath: await uploadPath(image.uploadId) };
  const path = image?.path ?? values.image ?? null;
  return path === null ? local : { ...local, imagePath: await door.allowedPath(path) };
}
