// Answers the windows' requests over Electron's IPC and sends them events. Every message is looked at for who sent it first.
import { ipcMain, type IpcMainEvent, type IpcMainInvokeEvent, type WebContents } from "electron";
import { RushesError } from "../../contract/errors.ts";
import { type IpcParts, type IpcReply, replyTo } from "./ipc-reply.ts";
import { eventMessage, listenMessage, requestMessage } from "./message-names.ts";
import { isOwnFrame } from "./sender-check.ts";
import type { WindowListeners } from "./window-listeners.ts";

export interface ServedIpc extends IpcParts {
  readonly listeners: WindowListeners<WebContents>;
  /** Scheme and host of our own page. */
  readonly origin: string;
  /** Whether this is the contents of a window of ours. */
  isOwn(contents: WebContents): boolean;
}

/** Begins to answer; the function that is given back ends it. */
export function serveIpc(parts: ServedIpc): () => void {
  const { listeners, origin } = parts;
  const isTrusted = ({ sender, senderFrame }: IpcMainEvent | IpcMainInvokeEvent) =>
    parts.isOwn(sender) && isOwnFrame(senderFrame, origin);

  ipcMain.handle(requestMessage, async (event, channel: unknown, value: unknown): Promise<IpcReply> => {
    if (!isTrusted(event)) return { error: new RushesError("request.unauthorised").toJSON() };
    return await replyTo(channel, value, parts);
  });

  const followed = new WeakSet<WebContents>();
  const onListen = (event: IpcMainEvent, wanted: unknown) => {
    const { sender } = event;
    if (!isTrusted(event)) return;
    if (wanted !== true) return listeners.remove(sender);
    if (!followed.has(sender)) follow(sender);
    listeners.add(sender, {
      send: (news) => {
        if (!sender.isDestroyed()) sender.send(eventMessage, news);
      },
    });
  };
  /** A page that goes does not say goodbye. */
  const follow = (contents: WebContents) => {
    followed.add(contents);
    contents.on("did-start-navigation", ({ isMainFrame, isSameDocument }) => {
      if (isMainFrame && !isSameDocument) listeners.remove(contents);
    });
    contents.on("render-process-gone", () => listeners.remove(contents));
    contents.on("destroyed", () => listeners.remove(contents));
  };
  ipcMain.on(listenMessage, onListen);

  return () => {
    ipcMain.removeHandler(requestMessage);
    ipcMain.off(listenMessage, onListen);
  };
}
