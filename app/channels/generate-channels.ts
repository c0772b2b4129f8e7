// Answers the form's channels from the studio.
import type { GenerateChannels } from "../../contract/channels/generate.ts";
import { asRushesError } from "../../contract/errors.ts";
import { expandPrompts } from "../settings/expand-prompts.ts";
import type { Studio } from "../studio/studio.ts";
import type { HandlersOf } from "./handlers.ts";
import { localDraft, type UploadPath } from "./queue-channels.ts";

export function generateChannels(studio: Studio, uploadPath: UploadPath): HandlersOf<GenerateChannels> {
  return {
    "generate:check": async ({ draft }, door) => {
      try {
        return await studio.form.check(await localDraft(draft, door, uploadPath));
      } catch (error) {
        // A picture that this door may not use, or that is gone: the rest of the form is still answered.
        const { image: _image, ...values } = draft.values;
        const { presetId = null } = draft;
        const check = await studio.form.check(await localDraft({ values, presetId }, door, uploadPath));
        return { ...check, refusal: asRushesError(error).toJSON() };
      }
    },
    "generate:expand": ({ text, form }) => expandPrompts(text, form),
    "generate:command": async (request, door) => {
      if ("jobId" in request) return { command: await studio.form.command(request) };
      return { command: await studio.form.command({ draft: await localDraft(request.draft, door, uploadPath) }) };
    },
  };
}
