// Who is answered over IPC, and what crosses it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { WebContents } from "electron";
import type { StudioEvent } from "../../../contract/channels.ts";
import { RushesError } from "../../../contract/errors.ts";
import { preloadBridge } from "../../../app/ipc/preload-bridge.ts";
import { isOwnFrame } from "../../../app/ipc/sender-check.ts";
import { serveIpc } from "../../../app/ipc/serve-ipc.ts";
import { WindowListeners } from "../../../app/ipc/window-listeners.ts";
import { openDoor } from "../channels/open-door.ts";
import { ipcRendererOf } from "../windows/electron-stand-in.ts";
import { StandInContents } from "../windows/window-stand-in.ts";

const asked: number[] = [];
const source = {
  listeners: new Set<(event: StudioEvent) => void>(),
  listen(listener: (event: StudioEvent) => void) {
    source.listeners.add(listener);
    return () => void source.listeners.delete(listener);
  },
  say(number: number) {
    for (const listener of source.listeners) listener({ kind: "queue:changed", number });
  },
};
const logged: string[] = [];
let contents: StandInContents;
let listeners: WindowListeners<WebContents>;
let stop: () => void;

beforeAll(() => {
  listeners = new WindowListeners<WebContents>(source);
  stop = serveIpc({
    handlers: {
      "queue:cancel": ({ jobId }) => {
        asked.push(jobId);
        if (jobId === 7) throw new RushesError("memory.exhausted", { neededBytes: 70, freeBytes: 7, detail: "d" });
        if (jobId === 8) throw new TypeError("a mistake of ours");
        return {};
      },
    },
    door: openDoor,
    log: { write: (text) => void logged.push(text) },
    listeners,
    origin: "app://rushes",
    isOwn: (other) => (other as unknown) === contents,
  });
});
afterAll(() => {
  stop();
  listeners.close();
  expect(source.listeners.size).toBe(0);
});
beforeEach(() => {
  contents = new StandInContents();
  contents.navigate("app://rushes/#/queue");
  asked.length = 0;
});

describe("a request", () => {
  test("of our page is answered", async () => {
    await expect(preloadBridge(ipcRendererOf(contents), String).request("queue:cancel", { jobId: 3 })).resolves.toEqual(
      {},
    );
  });

  test.each([
    ["a frame inside our page", () => ({ url: "app://rushes/", parent: contents.mainFrame })],
    ["a foreign page", () => ({ url: "https://example.com/app://rushes/", parent: null })],
    ["another host of our scheme", () => ({ url: "app://rushes.example/", parent: null })],
    ["a frame that is gone", () => null],
    ["a page without an address", () => ({ url: "", parent: null })],
  ])("of %s is refused before anything is read", async (_name, frame) => {
    const bridge = preloadBridge(ipcRendererOf(contents, frame), String);
    await expect(bridge.request("queue:cancel", { jobId: 3 })).rejects.toMatchObject({ code: "request.unauthorised" });
    bridge.listen(() => {});
    expect(listeners.count).toBe(0);
    expect(asked).toEqual([]);
  });

  test("of contents that are no window of ours is refused", async () => {
    const foreign = new StandInContents();
    foreign.navigate("app://rushes/");
    const bridge = preloadBridge(ipcRendererOf(foreign), String);
    await expect(bridge.request("queue:cancel", { jobId: 3 })).rejects.toMatchObject({ code: "request.unauthorised" });
    expect(asked).toEqual([]);
  });

  test.each([
    ["queue:cancel", {}],
    ["queue:cancel", { jobId: 1.5 }],
    ["queue:cancel", { jobId: 1, more: true }],
    ["queue:cancel", null],
    ["queue:cancel", undefined],
    ["queue:cancel", new Map([["jobId", 1]])],
    ["constructor", {}],
    ["__proto__", {}],
    [7, {}],
    ["queue:state", {}],
  ])("of another form (%j %j) is refused", async (channel, value) => {
    const bridge = preloadBridge(ipcRendererOf(contents), String);
    await expect(bridge.request(channel as never, value as never)).rejects.toMatchObject({ code: "request.invalid" });
    expect(asked).toEqual([]);
  });

  test("that is refused keeps every field of the error", async () => {
    const bridge = preloadBridge(ipcRendererOf(contents), String);
    await expect(bridge.request("queue:cancel", { jobId: 7 })).rejects.toEqual(
      new RushesError("memory.exhausted", { neededBytes: 70, freeBytes: 7, detail: "d" }).toJSON(),
    );
    await expect(bridge.request("queue:cancel", { jobId: 8 })).rejects.toMatchObject({ code: "engine.internal" });
    expect(logged).toEqual([expect.stringMatching(/^queue:cancel: .*\n.*a mistake of ours\n +at /)]);
  });
});

describe("events", () => {
  test("come while somebody listens, once each, and stop with the last listener", () => {
    const bridge = preloadBridge(ipcRendererOf(contents), String);
    const [one, other]: [number[], number[]] = [[], []];
    source.say(1);
    const stopOne = bridge.listen(({ number }) => one.push(number));
    const stopOther = bridge.listen(({ number }) => other.push(number));
    source.say(2);
    stopOne();
    stopOne();
    source.say(3);
    stopOther();
    source.say(4);
    expect([one, other]).toEqual([[2], [2, 3]]);
    expect(contents.sent).toHaveLength(2);
    expect(listeners.count).toBe(0);
  });

  test.each([
    ["loads another page", () => contents.navigate("app://rushes/")],
    ["dies", () => contents.crash()],
    ["is closed", () => contents.destroy()],
  ])("end when the page %s", (_name, end) => {
    preloadBridge(ipcRendererOf(contents), String).listen(() => {});
    expect(listeners.count).toBe(1);
    end();
    source.say(5);
    expect(listeners.count).toBe(0);
    expect(contents.sent).toHaveLength(0);
  });

  test("go on when only the place in the page changes", () => {
    preloadBridge(ipcRendererOf(contents), String).listen(() => {});
    contents.emit("did-start-navigation", { isMainFrame: true, isSameDocument: true });
    contents.emit("did-start-navigation", { isMainFrame: false, isSameDocument: false });
    expect(listeners.count).toBe(1);
    contents.destroy();
  });
});

test("the address of a frame is compared whole", () => {
  const of = (url: string) => isOwnFrame({ url, parent: null }, "app://rushes");
  expect(of("app://rushes/#/history/1?x=y")).toBe(true);
  for (const url of [
    "app://rushesx/",
    "app://user@other/",
    "app:rushes",
    "data:text/html,app://rushes/",
    "about:blank",
  ])
    expect(of(url), url).toBe(false);
});
