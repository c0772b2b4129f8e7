// A studio for one view: answers the channels it was given replies for, remembers what it was asked, and says events. It
// takes the place of the preload script's object, so that everything above bridge.ts is the window's own.
import type { Announcement, ChannelName, ReplyOf, RequestOf, StudioEvent } from "../../../contract/channels.ts";
import { RushesError } from "../../../contract/errors.ts";
import { connection } from "../../../renderer/state/connection.svelte.ts";

export type Script = { [C in ChannelName]?: (value: RequestOf<C>) => ReplyOf<C> | Promise<ReplyOf<C>> };

export const hello = {
  version: "0.1.0",
  libraryFolder: "/home/me/Videos/Rushes",
  door: "browser",
  capabilities: { showInFolder: false, chooseFiles: false, anyPath: false, notifications: false, systemTrash: false },
  roots: ["/models"],
  language: "en",
} as const;

export class ScriptedBridge {
  /** Channel and request, in order. */
  readonly asked: { channel: ChannelName; value: unknown }[] = [];
  readonly script: Script;
  #onEvent: ((event: StudioEvent) => void) | null = null;
  #number = 0;

  constructor(script: Script) {
    this.script = { "studio:hello": () => ({ ...hello }), ...script };
    Object.defineProperty(window, "rushes", { configurable: true, value: this });
    connection.stop();
    connection.start();
  }

  async request<C extends ChannelName>(channel: C, value: RequestOf<C>): Promise<ReplyOf<C>> {
    this.asked.push({ channel, value: JSON.parse(JSON.stringify(value)) as unknown });
    const answer = this.script[channel] as ((value: RequestOf<C>) => ReplyOf<C>) | undefined;
    if (!answer)
      throw new RushesError("request.invalid", { sentence: `No reply was scripted for ${channel}.` }).toJSON();
    try {
      return await answer(value);
    } catch (error) {
      throw error instanceof RushesError ? error.toJSON() : error;
    }
  }

  listen(onEvent: (event: StudioEvent) => void): () => void {
    this.#onEvent = onEvent;
    return () => (this.#onEvent = null);
  }

  pathOf(file: File): string {
    return `/dropped/${file.name}`;
  }

  say(news: Announcement): void {
    this.#onEvent?.({ ...news, number: ++this.#number });
  }

  /** What a channel was asked, in order. */
  requests<C extends ChannelName>(channel: C): RequestOf<C>[] {
    return this.asked.filter((each) => each.channel === channel).map(({ value }) => value as RequestOf<C>);
  }
}
