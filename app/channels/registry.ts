// All channels of a studio in one place: the one map that every transport (app/server, app/ipc) carries, and the one way
// a request is answered: checked first, then given to its subject's handler.
import type { ChannelName, ReplyOf } from "../../contract/channels.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Door } from "./door.ts";
import type { Studio } from "../studio/studio.ts";
import { exportChannels } from "./export-channels.ts";
import { generateChannels } from "./generate-channels.ts";
import type { Handlers } from "./handlers.ts";
import { historyChannels } from "./history-channels.ts";
import { machineChannels } from "./machine-channels.ts";
import { modelChannels } from "./model-channels.ts";
import { presetChannels } from "./preset-channels.ts";
import { queueChannels, type UploadPath } from "./queue-channels.ts";
import { checkRequest, isChannelName } from "./schemas.ts";
import { studioChannels } from "./studio-channels.ts";

/** What a door brings to its handlers. */
export interface DoorParts {
  /** The program's version. */
  readonly version: string;
  /** Where the door keeps pictures that were sent to it. */
  readonly uploadPath: UploadPath;
}

/** The handlers of a studio. */
export function handlersOf(studio: Studio, { version, uploadPath }: DoorParts): Handlers {
  return {
    ...studioChannels(studio, version),
    ...generateChannels(studio, uploadPath),
    ...queueChannels(studio, uploadPath),
    ...historyChannels(studio),
    ...presetChannels(studio),
    ...modelChannels(studio),
    ...machineChannels(studio),
    ...exportChannels(studio),
  };
}

/** request.invalid for what is asked of nobody. */
export class UnknownAddress extends RushesError {
  constructor(sentence: string) {
    super("request.invalid", { sentence });
  }
}

/** A request to a channel by name, as it came. Rejects with a RushesError: request.invalid for a channel there is not and
 * for a request of another form. */
export async function answer(handlers: Partial<Handlers>, channel: string, value: unknown, door: Door) {
  if (!isChannelName(channel) || !handlers[channel])
    throw new UnknownAddress(`There is no channel "${channel.slice(0, 60)}".`);
  return await answerOf(handlers, channel)(checkRequest(channel, value), door);
}

/** The handler without its channel's own types, which the check above has established. */
function answerOf(handlers: Partial<Handlers>, channel: ChannelName) {
  return handlers[channel] as (request: unknown, door: Door) => Promise<ReplyOf<ChannelName>>;
}
