// What a page may not do, whoever wrote it.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Session, WebContents } from "electron";
import { guardContents, guardSession, mayOpenOutside } from "../../../app/windows/guard-session.ts";
import { preventable } from "./preventable.ts";
import { session } from "./electron-stand-in.ts";
import { StandInContents } from "./window-stand-in.ts";

const own = session.defaultSession;
const opened: string[] = [];
let contents: StandInContents;

beforeAll(() => {
  guardSession(own as unknown as Session);
  contents = new StandInContents();
  guardContents(contents as unknown as WebContents, (address) => opened.push(address));
  contents.navigate("app://rushes/");
});
afterAll(() => vi.restoreAllMocks());

function asked(permission: string, requestingUrl: string, isMainFrame = true): boolean {
  let granted: boolean | null = null;
  own.requestHandler!(null as never, permission as never, (answer) => (granted = answer), {
    requestingUrl,
    isMainFrame,
  } as never);
  const checked = own.checkHandler!(null, permission as never, requestingUrl, { isMainFrame } as never);
  expect(checked).toBe(granted);
  return granted!;
}

describe("permissions", () => {
  test.each([
    "media",
    "geolocation",
    "notifications",
    "midiSysex",
    "pointerLock",
    "openExternal",
    "clipboard-read",
    "display-capture",
    "hid",
    "serial",
    "usb",
    "fileSystem",
    "idle-detection",
    "storage-access",
  ])("%s is denied", (permission) => expect(asked(permission, "app://rushes/")).toBe(false));

  test("copying and full screen are the page's own, nobody else's", () => {
    for (const permission of ["clipboard-sanitized-write", "fullscreen"]) {
      expect(asked(permission, "app://rushes/#/history")).toBe(true);
      expect(asked(permission, "app://rushes/", false)).toBe(false);
      for (const foreign of ["https://rushes/", "app://other/", "https://example.com/app://rushes/", "", "null"])
        expect(asked(permission, foreign)).toBe(false);
    }
  });

  test("devices, the network and dictionaries are out of reach", () => {
    expect(own.deviceHandler!()).toBe(false);
    expect(own.spellChecker).toBe(false);
    expect(own.blocked?.urls).toEqual(expect.arrayContaining(["http://*/*", "https://*/*", "wss://*/*", "file://*"]));
    own.blocked!.answer({}, (response) => expect(response).toEqual({ cancel: true }));
  });

  test("only what is ours is downloaded", () => {
    const download = (address: string) => {
      const event = preventable();
      own.emit("will-download", event, { getURL: () => address });
      return !event.defaultPrevented;
    };
    expect(download("app://rushes/media/export/abc")).toBe(true);
    expect(download("blob:app://rushes/1234")).toBe(true);
    expect(download("https://example.com/a.exe")).toBe(false);
    expect(download("data:text/plain,x")).toBe(false);
  });
});

describe("leaving the page", () => {
  function prevented(event: string, fields: object): boolean {
    const happening = preventable(fields);
    contents.emit(event, happening);
    return happening.defaultPrevented;
  }
  test.each([
    "https://example.com/",
    "file:///etc/passwd",
    "app://other/",
    "app://rushes/media/video/1",
    "javascript:0",
  ])("%s is not gone to", (url) => {
    expect(prevented("will-navigate", { url })).toBe(true);
    expect(prevented("will-redirect", { url })).toBe(true);
    expect(prevented("will-frame-navigate", { url, isMainFrame: false })).toBe(true);
  });
  test("the page itself may be loaded again", () =>
    expect(prevented("will-navigate", { url: "app://rushes/#/queue" })).toBe(false));
  test("guests are not attached", () => expect(prevented("will-attach-webview", {})).toBe(true));

  test("no window opens; what is on the list opens in the browser", () => {
    const open = (url: string) => contents.openHandler!({ url } as never);
    for (const url of ["https://huggingface.co/Wan-AI", "https://example.com/", "file:///etc/passwd", "app://rushes/"])
      expect(open(url)).toEqual({ action: "deny" });
    expect(opened).toEqual(["https://huggingface.co/Wan-AI"]);
    contents.navigate("https://example.com/");
    expect(open("https://github.com/")).toEqual({ action: "deny" });
    expect(opened).toHaveLength(1);
  });

  test.each([
    ["https://github.com/x", true],
    ["http://github.com/x", false],
    ["https://github.com.example.com/", false],
    ["https://github.com@example.com/", false],
    ["https://user@github.com/", false],
    ["https://github.com:8443/", false],
    ["smb://github.com/", false],
    ["nothing", false],
  ])("%s outside: %s", (address, may) => expect(mayOpenOutside(address)).toBe(may));
});
