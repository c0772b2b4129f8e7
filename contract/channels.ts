// Every message between a window and the studio: requests with their replies, and events. The Electron shell and the HTTP
// server carry exactly these; scripts use the same over HTTP (docs/API.md). One file per subject in channels/.
import type { ExportChannels } from "./channels/exports.ts";
import type { GenerateChannels } from "./channels/generate.ts";
import type { HistoryChannels } from "./channels/history.ts";
import type { MachineChannels } from "./channels/machine.ts";
import type { ModelChannels } from "./channels/models.ts";
import type { PresetChannels } from "./channels/presets.ts";
import type { QueueChannels } from "./channels/queue.ts";
import type { StudioChannels } from "./channels/studio.ts";

/** Request and reply types by channel name, "subject:verb". */
export interface Channels
  extends
    StudioChannels,
    GenerateChannels,
    QueueChannels,
    HistoryChannels,
    PresetChannels,
    ModelChannels,
    MachineChannels,
    ExportChannels {}

export type ChannelName = keyof Channels;
export type RequestOf<C extends ChannelName> = Channels[C]["request"];
export type ReplyOf<C extends ChannelName> = Channels[C]["reply"];

/** What a channel without anything to say takes or gives. */
export type Nothing = Record<string, never>;

export type { ErrorRecord } from "./errors.ts";
export type { Announcement, StudioEvent } from "./channels/events.ts";
export type { UploadReply } from "./channels/studio.ts";
