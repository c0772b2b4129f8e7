// A request of the window answered as Electron's IPC can carry it: an Error would lose its fields on the way, so that a
// refusal is a record in the reply. Knows no Electron: tests and other bridges answer through the same function.
import type { ChannelName, ErrorRecord, ReplyOf } from "../../contract/channels.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Door } from "../channels/door.ts";
import type { Handlers } from "../channels/handlers.ts";
import { answeredError, type ErrorLog } from "../channels/internal-error.ts";
import { answer } from "../channels/registry.ts";

export type IpcReply<C extends ChannelName = ChannelName> =
  { readonly value: ReplyOf<C> } | { readonly error: ErrorRecord };

export interface IpcParts {
  readonly handlers: Partial<Handlers>;
  readonly door: Door;
  /** Gets what went wrong inside. */
  readonly log: ErrorLog;
}

/** Answers what came over a bridge, whatever it is. Never rejects. */
export async function replyTo(channel: unknown, value: unknown, { handlers, door, log }: IpcParts): Promise<IpcReply> {
  try {
    if (typeof channel !== "string") throw new RushesError("request.invalid", "A request begins with its channel.");
    return { value: asSent(await answer(handlers, channel, asSent(value), door)) };
  } catch (thrown) {
    return { error: answeredError(thrown, String(channel).slice(0, 100), log).toJSON() };
  }
}

/** As the server's clients send and get it: fields that are undefined are absent, records are plain. Throws for what JSON
 * cannot say. */
function asSent<T>(value: T): T {
  const text = JSON.stringify(value) as string | undefined;
  return (text === undefined ? undefined : JSON.parse(text)) as T;
}
