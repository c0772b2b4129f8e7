// Who may speak over IPC: the main frame of a window of ours that shows our own page, nobody else.

/** What is used of Electron's WebFrameMain. */
export interface SenderFrame {
  readonly url: string;
  /** null for the main frame of a page. */
  readonly parent: object | null;
}

/** True for the page itself: never for frames inside it, and never for a page of another address. A frame that is gone has
 * no word. */
export function isOwnFrame(frame: SenderFrame | null | undefined, origin: string): boolean {
  return !!frame && frame.parent === null && originOf(frame.url) === origin;
}

/** "app://rushes" of app://rushes/#/queue; "" for what is no address. Node's own `origin` is "null" for such schemes. */
export function originOf(address: string): string {
  try {
    const { protocol, host } = new URL(address);
    return `${protocol}//${host}`;
  } catch {
    return "";
  }
}
