// What pages may never do, whatever is in them: reach the network, ask for devices, leave our page, open windows, attach
// guests. The page needs two rights and gets those alone.
import type { Session, WebContents } from "electron";
import { originOf } from "../ipc/sender-check.ts";
import { appOrigin, appPage } from "./app-address.ts";

/** Copying text, and the player's full screen. */
const granted = new Set(["clipboard-sanitized-write", "fullscreen"]);

/** Addresses of the network, and files: a page has app:// and nothing else. */
const foreignAddresses = ["http://*/*", "https://*/*", "ws://*/*", "wss://*/*", "ftp://*/*", "file://*"];

/** Pages that links may open in the system's browser, by host. */
const outsideHosts = new Set(["rushes.example", "github.com", "huggingface.co"]);

export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, answer, { requestingUrl, isMainFrame }) =>
    answer(granted.has(permission) && isMainFrame && originOf(requestingUrl) === appOrigin),
  );
  session.setPermissionCheckHandler(
    (_contents, permission, origin, { isMainFrame }) =>
      granted.has(permission) && isMainFrame && originOf(origin) === appOrigin,
  );
  session.setDevicePermissionHandler(() => false);
  session.webRequest.onBeforeRequest({ urls: foreignAddresses }, (_details, answer) => answer({ cancel: true }));
  session.on("will-download", (event, item) => {
    if (originOf(item.getURL()) !== appOrigin && !item.getURL().startsWith(`blob:${appOrigin}/`))
      event.preventDefault();
  });
  // Its dictionaries would be fetched from the network.
  session.setSpellCheckerEnabled(false);
}

/** For every contents that comes into being; `openOutside` shows an address in the system's browser. */
export function guardContents(contents: WebContents, openOutside: (address: string) => unknown): void {
  contents.on("will-navigate", (event) => {
    if (event.url.split("#")[0] !== appPage) event.preventDefault();
  });
  contents.on("will-frame-navigate", (event) => {
    if (!event.isMainFrame) event.preventDefault();
  });
  contents.on("will-redirect", (event) => event.preventDefault());
  contents.on("will-attach-webview", (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    if (originOf(contents.getURL()) === appOrigin && mayOpenOutside(url)) openOutside(url);
    return { action: "deny" };
  });
}

/** https at a host of the list, without a name or password in it. */
export function mayOpenOutside(address: string): boolean {
  try {
    const { protocol, host, username, password } = new URL(address);
    return protocol === "https:" && outsideHosts.has(host) && username === "" && password === "";
  } catch {
    return false;
  }
}
