// The parts of the window that can be looked at alone: its place, the end, opened files, menus, the door.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Leaving } from "../../../app/windows/leaving.ts";
import { createMainWindow } from "../../../app/windows/main-window.ts";
import { menuTemplate } from "../../../app/windows/menu.ts";
import { nativeWords } from "../../../app/windows/native-words.ts";
import { OpenedFiles } from "../../../app/windows/opened-files.ts";
import { isSameFolder, readSecondStart } from "../../../app/windows/second-start.ts";
import { watchStuckPage } from "../../../app/windows/stuck-page.ts";
import { dialogOptions, windowDoor } from "../../../app/windows/window-door.ts";
import { firstState, fittingBounds, readWindowState, writeWindowState } from "../../../app/windows/window-state.ts";
import { until } from "../engine/plumbing.ts";
import { BrowserWindow, electron } from "./electron-stand-in.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-window-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the window's place", () => {
  const screen = { x: 0, y: 0, width: 1920, height: 1040 };
  const right = { x: 1920, y: 0, width: 2560, height: 1400 };
  test("is kept on the screen where it was", () => {
    const kept = { x: 2500, y: 100, width: 1600, height: 1000 };
    expect(fittingBounds(kept, [screen, right])).toEqual(kept);
  });
  test.each([
    ["a screen that is gone", { x: 2500, y: 100, width: 1600, height: 1000 }, [screen]],
    ["above every screen", { x: 100, y: -900, width: 1600, height: 1000 }, [screen]],
    ["below every screen", { x: 100, y: 1030, width: 1600, height: 1000 }, [screen]],
    ["beside every screen", { x: -1590, y: 100, width: 1600, height: 1000 }, [screen]],
  ])("on %s is moved to the middle of the main one", (_name, kept, screens) =>
    expect(fittingBounds(kept, screens)).toEqual({ x: 160, y: 20, width: 1600, height: 1000 }),
  );
  test("is never larger than the screen nor too small to use", () => {
    expect(fittingBounds({ x: 0, y: 0, width: 9000, height: 9000 }, [screen])).toMatchObject(screen);
    for (const x of [0, 5000])
      expect(fittingBounds({ x, y: 0, width: 200, height: 200 }, [screen])).toMatchObject({ width: 960, height: 640 });
    expect(fittingBounds(null, [{ x: 0, y: 0, width: 1024, height: 700 }])).toEqual({
      x: 0,
      y: 0,
      width: 1024,
      height: 700,
    });
  });
  test("is read back as written; anything else is a first start", () => {
    const path = join(folder, "window.json");
    const state = { ...firstState, bounds: { x: 1, y: 2, width: 1000, height: 700 }, maximised: true };
    writeWindowState(path, state);
    expect(readWindowState(path)).toEqual(state);
    for (const text of ["", "{", "[]", '{"bounds":{"x":"1"}}', '{"bounds":null,"maximised":true,"ground":"red"}']) {
      writeFileSync(path, text);
      expect(readWindowState(path)).toEqual(firstState);
    }
    expect(readWindowState(join(folder, "nothing"))).toEqual(firstState);
    writeWindowState(join(folder, "no/such/folder"), state);
  });
});

describe("the window", () => {
  function open(mayClose = () => true) {
    const hopeless: string[] = [];
    const stateFile = join(folder, "main-window.json");
    const options = {
      preload: "/preload.cjs",
      stateFile,
      mayClose,
      onHopeless: (reason: string) => hopeless.push(reason),
    };
    return { window: createMainWindow(options) as unknown as BrowserWindow, stateFile, hopeless };
  }

  test("is shown when its page is ready, maximised as it was", async () => {
    writeWindowState(join(folder, "main-window.json"), { ...firstState, maximised: true, ground: "#f4f5f8" });
    const { window } = open();
    expect(window).toMatchObject({ visible: false, maximised: false, ground: "#f4f5f8" });
    await until(() => window.visible, "the window");
    expect(window.maximised).toBe(true);
    window.close();
  });

  test("keeps the ground of its page's theme for the next start", () => {
    const { window, stateFile } = open();
    for (const color of ["#123456", null, "red", "#12345", "javascript:"])
      window.webContents.emit("did-change-theme-color", {}, color);
    expect(window.ground).toBe("#123456");
    window.close();
    expect(readWindowState(stateFile).ground).toBe("#123456");
  });

  test("stays when it may not close", () => {
    let may = false;
    const { window } = open(() => may);
    window.close();
    expect(window.isDestroyed()).toBe(false);
    may = true;
    window.close();
    expect(window.isDestroyed()).toBe(true);
  });

  test("loads a page that died again, but not for ever", () => {
    const { window, hopeless } = open();
    window.webContents.crash("clean-exit");
    expect(window.loaded).toHaveLength(1);
    for (let death = 1; death <= 3; death++) window.webContents.crash("oom");
    expect([window.loaded.length, hopeless]).toEqual([4, []]);
    window.webContents.crash("oom");
    expect([window.loaded.length, hopeless]).toEqual([4, ["oom"]]);
    window.close();
  });
});

describe("a page that does not answer", () => {
  function stuck() {
    const window = new BrowserWindow();
    const log: string[] = [];
    const deaths: string[] = [];
    window.webContents.on("render-process-gone", (_event, { reason }: { reason: string }) => deaths.push(reason));
    const parts = { log: { write: (text: string) => log.push(text) }, words: () => nativeWords(["en"]) };
    watchStuckPage(window as never, parts);
    electron.messages.length = 0;
    return { window, contents: window.webContents, log, deaths };
  }

  test("is waited for, or loaded anew", async () => {
    const { window, contents, log, deaths } = stuck();
    electron.messageAnswers = [0, 1];
    contents.emit("unresponsive");
    contents.emit("unresponsive");
    expect(electron.messages).toMatchObject([{ buttons: ["Wait", "Reload"], defaultId: 0, cancelId: 0 }]);
    const askAgain = () => {
      contents.emit("unresponsive");
      return deaths.length > 0;
    };
    await until(askAgain, "the page's end");
    expect(deaths).toEqual(["killed"]);
    expect(log).toContain("the page does not answer");
    window.close();
  });

  test("and answers again is not asked about any more", async () => {
    const { window, contents, deaths } = stuck();
    electron.messageAnswers = [new Promise(() => {})];
    contents.emit("unresponsive");
    contents.emit("responsive");
    const askAgain = () => {
      contents.emit("unresponsive");
      return electron.messages.length > 1;
    };
    await until(askAgain, "the end of the first question");
    expect(deaths).toEqual([]);
    window.close();
  });
});

describe("the end", () => {
  function leaving({ running = true, agrees = true, close = () => Promise.resolve() } = {}) {
    const calls: string[] = [];
    const parts = new Leaving({
      isRunning: () => running,
      ask: () => {
        calls.push("ask");
        return Promise.resolve(agrees);
      },
      close: () => {
        calls.push("close");
        return close();
      },
      failed: (error) => calls.push(`failed: ${(error as Error).message}`),
      quit: () => calls.push("quit"),
    });
    return { parts, calls };
  }
  afterEach(() => vi.useRealTimers());

  test("needs no word while nothing runs", async () => {
    const { parts, calls } = leaving({ running: false });
    await Promise.all([parts.leave(), parts.leave()]);
    expect(calls).toEqual(["close", "quit"]);
    expect(parts.allowed).toBe(true);
  });
  test("is asked about once while something runs", async () => {
    const { parts, calls } = leaving({ agrees: false });
    await Promise.all([parts.leave(), parts.leave()]);
    expect(calls).toEqual(["ask"]);
    expect([parts.allowed, parts.isUnderWay]).toEqual([false, false]);
    await parts.leave();
    expect(calls).toEqual(["ask", "ask"]);
  });
  test("of the system's session asks nobody, even while the question is open", async () => {
    const { parts, calls } = leaving({ agrees: false });
    await Promise.all([parts.leave(), parts.leave({ unasked: true })]);
    expect(calls).toEqual(["ask", "close", "quit"]);
  });
  test("comes even when closing fails, and says why", async () => {
    const { parts, calls } = leaving({ running: false, close: () => Promise.reject(new Error("no")) });
    await parts.leave();
    expect(calls).toEqual(["close", "failed: no", "quit"]);
  });
  test("is under way from the moment closing begins", async () => {
    const closing = Promise.withResolvers<undefined>();
    const { parts } = leaving({ running: false, close: () => closing.promise });
    expect(parts.isUnderWay).toBe(false);
    const left = parts.leave();
    expect([parts.allowed, parts.isUnderWay]).toEqual([false, true]);
    closing.resolve(undefined);
    await left;
    expect([parts.allowed, parts.isUnderWay]).toEqual([true, true]);
  });
  test("does not wait for ever", async () => {
    vi.useFakeTimers();
    const { parts, calls } = leaving({ running: false, close: () => new Promise(() => {}) });
    const left = parts.leave();
    await vi.advanceTimersByTimeAsync(14_000);
    expect(calls).toEqual(["close"]);
    await vi.advanceTimersByTimeAsync(1_000);
    await left;
    expect(calls).toEqual(["close", "failed: closing took more than 15 seconds", "quit"]);
    expect(parts.allowed).toBe(true);
  });
  test("leaves no clock behind when closing was quick", async () => {
    vi.useFakeTimers();
    const { parts } = leaving({ running: false });
    await parts.leave();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a second start", () => {
  test("is read as far as it can be used: it comes from another process", () => {
    expect(readSecondStart({ files: ["/a", "b", 1, null], library: "/c" })).toEqual({ files: ["/a"], library: "/c" });
    expect(readSecondStart({ files: Array.from({ length: 900 }, (_, index) => `/${index}`) }).files).toHaveLength(50);
    for (const data of [null, 1, "x", {}, { files: {}, library: 7 }, { library: "relative" }])
      expect(readSecondStart(data)).toEqual({ files: [], library: null });
  });
  test("may name our library by another path", () => {
    mkdirSync(join(folder, "library"), { recursive: true });
    symlinkSync(join(folder, "library"), join(folder, "link-to-library"));
    expect(isSameFolder(join(folder, "library"), join(folder, "link-to-library"))).toBe(true);
    expect(isSameFolder(join(folder, "library"), folder)).toBe(false);
    expect(isSameFolder("/no/such", "/no/such")).toBe(true);
    expect(isSameFolder("/no/such", "/no/other")).toBe(false);
  });
});

describe("opened files", () => {
  test("wait until somebody shows them", () => {
    const files = new OpenedFiles();
    const shown: string[] = [];
    for (const path of ["/1", "/2"]) files.open(path);
    files.deliver((path) => shown.push(path));
    files.open("/3");
    files.deliver((path) => shown.push(`again ${path}`));
    files.open("/4");
    expect(shown).toEqual(["/1", "/2", "/3", "again /4"]);
  });
});

describe("words", () => {
  test("are Chinese where that is wanted first, else English", () => {
    for (const languages of [["zh-CN", "en"], ["de", "zh-Hans-CN"], ["zh"]])
      expect(nativeWords(languages).file).toBe("文件");
    for (const languages of [[], ["de-DE"], ["en-US", "zh-CN"], ["zho"]])
      expect(nativeWords(languages).file).toBe("File");
  });
  test("of both languages are all there, and every menu entry has one", () => {
    const nothing = { show: () => {}, openVideo: () => {}, openLibrary: () => {}, about: () => {} };
    for (const tag of ["en", "zh"])
      for (const platform of ["linux", "darwin", "win32"] as const)
        for (const menu of menuTemplate(nativeWords([tag]), platform, nothing))
          for (const item of Array.isArray(menu.submenu) ? menu.submenu : [])
            expect(item.type === "separator" || item.label, JSON.stringify(item)).toBeTruthy();
    const words = nativeWords(["zh"]);
    expect(JSON.stringify(words).match(/""/)).toBeNull();
  });
});

test("the menu shows every view with the page's own keys", () => {
  const nothing = { show: () => {}, openVideo: () => {}, openLibrary: () => {}, about: () => {} };
  // Read as text: a page's module has no place in Node.
  const page = readFileSync(join(import.meta.dirname, "../../../renderer/state/shortcuts.ts"), "utf8");
  const own = Object.fromEntries(
    [...page.matchAll(/id: "(go-\w+)".*keys: "([^"]+)"/g)].map(([, id, keys]) => [id, keys]),
  );
  expect(Object.keys(own)).toHaveLength(6);
  for (const tag of ["en", "zh"]) {
    const items = menuTemplate(nativeWords([tag]), "linux", nothing).flatMap(({ submenu }) =>
      Array.isArray(submenu) ? submenu : [],
    );
    const shown = items.filter(({ id }) => id?.startsWith("view-"));
    const keys = Object.fromEntries(shown.map(({ id, accelerator }) => [id?.replace("view-", "go-"), accelerator]));
    expect(keys).toEqual(own);
  }
});

describe("the door", () => {
  const door = windowDoor({
    words: () => nativeWords(["en"]),
    language: "en-GB",
    window: () => null,
    chooseLanguage: () => {},
  });
  beforeEach(() => void (electron.calls.length = 0));

  test("takes any path in full, its links followed", async () => {
    const real = join(folder, "real");
    mkdirSync(real, { recursive: true });
    symlinkSync(real, join(folder, "link"));
    await expect(door.allowedPath(join(folder, "link/none/x.mp4"))).resolves.toMatch(/\/real\/none\/x\.mp4$/);
    for (const path of ["x.mp4", "", "../x", "/a\0b"])
      await expect(door.allowedPath(path)).rejects.toMatchObject({ code: "path.refused" });
  });

  test("asks in the system's dialogs", async () => {
    electron.openAnswers = [["/models/wan"]];
    await expect(door.choosePath("modelFolder")).resolves.toBe("/models/wan");
    await expect(door.choosePath("image")).resolves.toBeNull();
    expect(electron.openDialogs.slice(-2)).toMatchObject([
      { title: "Choose a folder of models", properties: ["openDirectory"] },
      { filters: [{ name: "Pictures", extensions: ["png", "jpg", "jpeg", "webp"] }, { extensions: ["*"] }] },
    ]);
    for (const what of ["modelFile", "lora", "modelFolder", "image", "video", "folder", "text"] as const)
      expect(dialogOptions(what, nativeWords(["zh"])).title).toMatch(/^选择/);
  });

  test("shows files in their folder and opens folders", async () => {
    writeFileSync(join(folder, "shown.mp4"), "");
    await door.showInFolder(join(folder, "shown.mp4"));
    await door.showInFolder(folder);
    expect(electron.calls).toEqual([`showItemInFolder ${join(folder, "shown.mp4")}`, `openPath ${folder}`]);
    await expect(door.showInFolder(join(folder, "gone"))).rejects.toMatchObject({ code: "file.unreadable" });
  });

  test("discards into the trash, for good where there is none", async () => {
    const path = join(folder, "purged.mp4");
    writeFileSync(path, "");
    await door.discardFile(path);
    expect(electron.calls).toEqual([`trashItem ${path}`]);
    expect(existsSync(path)).toBe(true);
    electron.trashFails = true;
    await door.discardFile(path);
    expect(existsSync(path)).toBe(false);
    await door.discardFile(path);
  });
});
