// The object that the page finds as window.rushes, made of the few things it needs of Electron. Runs in the preload's world;
// nothing of Electron reaches the page but what is given back here.
import type { ChannelName, ReplyOf, RequestOf, StudioEvent } from "../../contract/channels.ts";
import type { IpcReply } from "./ipc-reply.ts";
import { eventMessage, listenMessage, requestMessage } from "./message-names.ts";

/** What is used of Electron's ipcRenderer. */
export interface RendererIpc {
  invoke(message: string, ...values: unknown[]): Promise<unknown>;
  send(message: string, ...values: unknown[]): void;
  on(message: string, listener: (event: unknown, ...values: unknown[]) => void): unknown;
}

/** `pathOf` gives the path of a file the user dropped or chose, "" where it has none. */
export function preloadBridge<File>(ipc: RendererIpc, pathOf: (file: File) => string) {
  const listeners = new Set<(event: StudioEvent) => void>();
  ipc.on(eventMessage, (_event, news) => {
    for (const listener of [...listeners]) listener(news as StudioEvent);
  });
  return {
    /** A refusal rejects with its record, a plain object: of an Error only the message would cross into the page. */
    async request<C extends ChannelName>(channel: C, value: RequestOf<C>): Promise<ReplyOf<C>> {
      const reply = (await ipc.invoke(requestMessage, channel, value)) as IpcReply<C>;
      return "error" in reply ? Promise.reject<ReplyOf<C>>(reply.error) : reply.value;
    },
    listen(onEvent: (event: StudioEvent) => void): () => void {
      // Two calls with one function are two listeners.
      const own = (event: StudioEvent) => onEvent(event);
      if (listeners.size === 0) ipc.send(listenMessage, true);
      listeners.add(own);
      return () => {
        if (listeners.delete(own) && listeners.size === 0) ipc.send(listenMessage, false);
      };
    },
    pathOf: (file: File): string => pathOf(file),
  };
}
