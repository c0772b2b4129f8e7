// The only file that touches the preload object. Requests and events reach the studio through Electron's preload where
// there is one, else over HTTP; nothing above this file knows which.
import type { ChannelName, ReplyOf, RequestOf, StudioEvent } from "../contract/channels.ts";
import type { RestoredVideo } from "../contract/channels/studio.ts";
import { asRushesError, RushesError } from "../contract/errors.ts";

/** What app/preload.ts exposes as window.rushes. A refused request rejects with an ErrorRecord. */
export interface PreloadBridge {
  request<C extends ChannelName>(channel: C, value: RequestOf<C>): Promise<ReplyOf<C>>;
  /** Calls back for every event until the returned function is called. */
  listen(onEvent: (event: StudioEvent) => void): () => void;
  /** The path of a dropped or chosen file on this machine. */
  pathOf(file: File): string;
}

declare global {
  interface Window {
    readonly rushes?: PreloadBridge;
  }
}

export interface Listener {
  onEvent(event: StudioEvent): void;
  /** True once events flow, false when they stop. The window's own bridge never stops. */
  onConnected(connected: boolean): void;
}

/** Seconds between attempts to reach the server again. */
const reconnectSeconds = [0.5, 1, 2, 4, 8];

/** Asks the studio. Rejects with a RushesError, whatever went wrong. */
export async function request<C extends ChannelName>(channel: C, value: RequestOf<C>): Promise<ReplyOf<C>> {
  const preload = window.rushes;
  if (!preload) return post<ReplyOf<C>>(channel, JSON.stringify(value), { "content-type": "application/json" });
  try {
    // Svelte's state lies behind proxies, which do not cross into the preload; over HTTP they become the same text.
    return await preload.request(channel, JSON.parse(JSON.stringify(value)) as RequestOf<C>);
  } catch (error) {
    throw asRushesError(error);
  }
}

/** Follows the studio's events; over HTTP the connection is made again whenever it breaks. Returns the way to stop. */
export function listen(listener: Listener): () => void {
  const preload = window.rushes;
  if (!preload) return listenOverHttp(listener);
  const stop = preload.listen((event) => listener.onEvent(event));
  listener.onConnected(true);
  return stop;
}

/** True when the page runs inside the desktop window. */
export function isDesktop(): boolean {
  return window.rushes !== undefined;
}

/** The path of a file a user dropped or chose, or null where the door does not tell (a browser). */
export function pathOf(file: File): string | null {
  return window.rushes?.pathOf(file) || null;
}

/** Makes a picture usable in a draft: by its path where there is one, else by sending its bytes. */
export async function usePicture(file: File): Promise<{ path: string } | { uploadId: string }> {
  const path = pathOf(file);
  return path === null ? upload<{ uploadId: string }>("studio:upload", file) : { path };
}

/** Reads the settings inside a dropped video of Rushes. */
export function restoreVideo(file: File): Promise<RestoredVideo> {
  const path = pathOf(file);
  return path === null ? upload<RestoredVideo>("studio:restore", file) : request("studio:restoreVideo", { path });
}

function upload<Reply>(channel: string, file: File): Promise<Reply> {
  return post<Reply>(channel, file, {
    "content-type": file.type || "application/octet-stream",
    "x-file-name": encodeURIComponent(file.name),
  });
}

/** `subject:verb` is POST /api/subject/verb; the cookie says who asks. */
async function post<Reply>(channel: string, body: BodyInit, headers: Record<string, string>): Promise<Reply> {
  const address = `/api/${channel.replace(":", "/")}`;
  let response: Response;
  try {
    response = await fetch(address, { method: "POST", credentials: "same-origin", headers, body });
  } catch (cause) {
    throw new RushesError("engine.internal", {
      sentence: "Rushes does not answer.",
      advice: "Check that it still runs; the window connects again by itself.",
      detail: `${address}: ${String(cause)}`,
      cause,
    });
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer as Reply;
  const error = typeof answer === "object" && answer !== null && "error" in answer ? answer.error : null;
  throw asRushesError(error ?? new Error(`${address} answered ${response.status} ${response.statusText}`));
}

function listenOverHttp(listener: Listener): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempts = 0;
  let stopped = false;

  const connect = () => {
    source = new EventSource("/api/events");
    source.onopen = () => {
      attempts = 0;
      listener.onConnected(true);
    };
    source.onmessage = ({ data }: MessageEvent<string>) => listener.onEvent(JSON.parse(data) as StudioEvent);
    // The browser's own second attempt gives up for good after some answers (a proxy's error page), so that attempts are
    // made here.
    source.onerror = () => {
      source?.close();
      if (stopped) return;
      listener.onConnected(false);
      const seconds = reconnectSeconds[Math.min(attempts++, reconnectSeconds.length - 1)]!;
      clearTimeout(timer);
      timer = setTimeout(connect, seconds * 1000);
    };
  };
  connect();

  return () => {
    stopped = true;
    clearTimeout(timer);
    source?.close();
  };
}
