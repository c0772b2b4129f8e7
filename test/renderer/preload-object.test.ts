// The object that the preload shows is the one the page expects: by type here, by use in test/e2e/desktop-window.
import { expect, test } from "vitest";
import { preloadBridge } from "../../app/ipc/preload-bridge.ts";
import type { PreloadBridge } from "../../renderer/bridge.ts";

test("the preload gives what the page's bridge takes", async () => {
  const ipc = { invoke: () => Promise.resolve({ value: { jobs: [] } }), send: () => {}, on: () => {} };
  const bridge = preloadBridge<File>(ipc, ({ name }) => `/files/${name}`) satisfies PreloadBridge;
  expect(bridge.pathOf(new File([], "a.mp4"))).toBe("/files/a.mp4");
  expect(await bridge.request("queue:add", { drafts: [] })).toEqual({ jobs: [] });
});
