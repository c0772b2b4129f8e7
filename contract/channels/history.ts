// The history: finding, showing, marking and deleting what was made.
import type { Nothing } from "../channels.ts";
import type { JobDetail, JobKind, JobMode, JobState } from "../job.ts";

/** What is asked for. Absent fields ask for everything. */
export interface HistoryFilter {
  /** Words of the prompt in any order; the last letters of a word may be left out. */
  readonly words?: string;
  readonly states?: readonly JobState[];
  readonly model?: string;
  readonly mode?: JobMode;
  readonly favourite?: boolean;
  /** Made at or after / before, milliseconds since 1970. */
  readonly from?: number;
  readonly before?: number;
  readonly width?: number;
  readonly height?: number;
  readonly seed?: number;
  /** Deleted results only (the trash); otherwise they are left out. */
  readonly deleted?: boolean;
  /** One entry per stack of variants (same prompt, mode, model and picture), at the place of its newest: the newest that is
   * done, else the newest. */
  readonly stacked?: boolean;
  /** Only the variants of this job's stack. */
  readonly stackOf?: number;
}

/** What a card shows. Times are milliseconds since 1970. */
export interface HistoryCard {
  readonly id: number;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly prompt: string;
  readonly mode: JobMode;
  readonly model: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly numFrames: number;
  readonly numSteps: number;
  readonly fps: number;
  readonly createdAt: number;
  /** Seconds it took to make; null where it did not end well. */
  readonly seconds: number | null;
  readonly favourite: boolean;
  /** Results in its stack that match the filter's kind of listing, itself included. */
  readonly stackSize: number;
  readonly hasVideo: boolean;
  readonly errorSentence: string | null;
  readonly deletedAt: number | null;
}

export interface HistoryFacets {
  readonly models: readonly { readonly model: string; readonly count: number }[];
  readonly states: readonly { readonly state: JobState; readonly count: number }[];
  readonly sizes: readonly { readonly width: number; readonly height: number; readonly count: number }[];
  readonly favourites: number;
  readonly deleted: number;
}

/** JobDetail plus what only the history keeps. */
export interface HistoryDetail extends JobDetail {
  readonly favourite: boolean;
  readonly stackSize: number;
  readonly deletedAt: number | null;
  /** The layers that ran in int8, in the order of the model, with their size: "blocks.0.self_attn.q [1536x1536]". */
  readonly int8Names: readonly string[];
  /** The saved latents are still there: Decode again is possible. */
  readonly canDecodeAgain: boolean;
}

export interface HistoryChannels {
  /** Ids of everything that matches, newest first: the window scrolls over them and asks for the cards it shows. */
  "history:find": { request: { filter: HistoryFilter }; reply: { ids: number[] } };
  /** Cards in the order of `ids` (at most 500); those that are gone are left out. */
  "history:cards": { request: { ids: number[]; stacked?: boolean }; reply: { cards: HistoryCard[] } };
  "history:detail": { request: { jobId: number }; reply: { detail: HistoryDetail } };
  "history:facets": { request: Nothing; reply: HistoryFacets };
  "history:favourite": { request: { jobIds: number[]; favourite: boolean }; reply: Nothing };
  /** Into the trash: files stay until they are purged, and history:restore brings everything back. */
  "history:delete": { request: { jobIds: number[] }; reply: { jobIds: number[] } };
  "history:restore": { request: { jobIds: number[] }; reply: Nothing };
  /** Removes deleted results with their files for good (their files go to the system's trash where the door has one). */
  "history:purge": { request: { jobIds: number[] }; reply: Nothing };
}
