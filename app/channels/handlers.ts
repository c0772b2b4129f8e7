// The shape of what answers a channel. One file per subject beside this one (queue-channels.ts, ...); transports (app/server,
// app/ipc) check requests against the contract's schemas before a handler sees them, and turn a RushesError into its
// record. Handlers know neither HTTP nor Electron.
import type { Channels } from "../../contract/channels.ts";
import type { Door } from "./door.ts";

/** A handler for each channel of one subject; rejects with a RushesError. */
export type HandlersOf<Subject> = {
  [C in keyof Subject]: Subject[C] extends { request: infer Request; reply: infer Reply }
    ? (request: Request, door: Door) => Promise<Reply> | Reply
    : never;
};

export type Handlers = HandlersOf<Channels>;
