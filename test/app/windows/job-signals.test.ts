// What the system shows of work outside the window, with a studio that only says what runs.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Announcement } from "../../../contract/channels/events.ts";
import type { ExportState } from "../../../contract/channels/exports.ts";
import type { Job } from "../../../contract/job.ts";
import { JobSignals, type WatchedStudio } from "../../../app/windows/job-signals.ts";
import { nativeWords } from "../../../app/windows/native-words.ts";
import { BrowserWindow, electron } from "./electron-stand-in.ts";

let window: BrowserWindow;
let signals: JobSignals;
let say: (news: Announcement) => void;
let running: Job | null;
let elsewhere: boolean;
let exports: Pick<ExportState, "state" | "fraction">[];

beforeEach(() => {
  [running, elsewhere, exports] = [null, false, []];
  electron.blockers.clear();
  window = new BrowserWindow();
  const studio: WatchedStudio = {
    listen: (listener) => {
      say = (news) => listener({ ...news, number: 1 });
      return () => {};
    },
    queue: { state: () => ({ running, elsewhere }) },
    exports: { list: () => exports },
    get: () => null,
  };
  signals = new JobSignals(studio, {
    words: () => nativeWords(["en"]),
    window: () => window as never,
    showResult: () => {},
  });
});
afterEach(() => {
  signals.close();
  window.close();
});

function become(...states: Pick<ExportState, "state" | "fraction">[]): void {
  exports = states;
  say({ kind: "export:changed", export: states[0] as ExportState });
}
function runJob(job: Job | null): void {
  running = job;
  say({ kind: "job:changed", jobId: 1, state: job === null ? "cancelled" : "running" } as Announcement);
}

describe("an export", () => {
  test("keeps the machine awake, moves the taskbar and is running work", () => {
    expect(signals.work).toEqual([]);
    become({ state: "running", fraction: 0.25 }, { state: "running", fraction: 0 });
    expect(signals.work).toEqual(["export"]);
    expect([...electron.blockers.values()]).toEqual(["prevent-app-suspension"]);
    expect(window.progress.at(-1)).toBe(0.25);
    become({ state: "done", fraction: 1 }, { state: "running", fraction: 0.5 });
    expect(window.progress.at(-1)).toBe(0.5);
    expect(electron.blockers.size).toBe(1);
    become({ state: "done", fraction: 1 }, { state: "cancelled", fraction: 0.5 });
    expect(signals.work).toEqual([]);
    expect(electron.blockers.size).toBe(0);
    expect(window.progress.at(-1)).toBe(-1);
  });

  test("leaves the taskbar to the job beside it, and goes on after it", () => {
    runJob({} as Job);
    say({ kind: "job:progressed", progress: { overall: 0.75 } } as Announcement);
    become({ state: "running", fraction: 0.25 });
    expect(signals.work).toEqual(["job", "export"]);
    expect(window.progress.at(-1)).toBe(0.75);
    expect(electron.blockers.size).toBe(1);
    runJob(null);
    expect(signals.work).toEqual(["export"]);
    expect(window.progress.at(-1)).toBe(0.25);
    expect(electron.blockers.size).toBe(1);
  });
});

test("a job of another process is not ours", () => {
  elsewhere = true;
  runJob({} as Job);
  expect(signals.work).toEqual([]);
  expect(electron.blockers.size).toBe(0);
});
