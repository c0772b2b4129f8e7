// Exports as a window follows them: the word of an end may overtake the answer that it began.
import { afterEach, expect, test } from "vitest";
import type { ExportState } from "../../../contract/channels/exports.ts";
import { exports } from "../../../renderer/state/exports.svelte.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import { ScriptedStudio } from "../scripted-studio.ts";

const running: ExportState = {
  id: "e1",
  jobId: 7,
  format: "mp4",
  state: "running",
  fraction: 0,
  path: null,
  bytes: null,
  download: false,
  error: null,
};

let disconnect: (() => void) | undefined;
afterEach(() => disconnect?.());

test("one that is over before its beginning was answered is told once, and not shown as running", async () => {
  const studio: ScriptedStudio = new ScriptedStudio({
    "exports:list": () => ({ exports: [] }),
    "exports:start": () => {
      studio.say({ kind: "export:changed", export: { ...running, state: "done", fraction: 1, path: "/videos/a.mp4" } });
      return { export: running };
    },
  });
  disconnect = studio.connect();
  const shown = toasts.all.length;
  await exports.begin([7], "mp4", "/videos");
  expect(exports.running).toEqual([]);
  expect(toasts.all.length).toBe(shown + 1);
  studio.say({ kind: "export:changed", export: running });
  expect(exports.running).toEqual([]);
});
