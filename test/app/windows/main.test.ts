// The desktop program from its start to its end, in Electron's order of events, with a real studio whose engine runs in a
// utility process.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants, getPriority } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { preloadBridge } from "../../../app/ipc/preload-bridge.ts";
import { StudioExports } from "../../../app/studio/studio-exports.ts";
import type { StudioEvent } from "../../../contract/channels.ts";
import { Plumbing, until } from "../engine/plumbing.ts";
import { app, BrowserWindow, electron, ipcRendererOf, session, utilityProcess } from "./electron-stand-in.ts";
import { preventable } from "./preventable.ts";

const root = join(import.meta.dirname, "../../..");
const plumbing = new Plumbing();
const argument = join(plumbing.folder, "first.mp4");
const early = join(plumbing.folder, "early.mp4");
const events: StudioEvent[] = [];
/** The test runner listens too. */
const othersListeners = process.listeners("uncaughtException");
let page: ReturnType<typeof preloadBridge<string>>;

const openedPaths = () => events.flatMap((event) => (event.kind === "window:opened" ? [event.path] : []));
/** A page that has loaded and listens. */
function connect(window: BrowserWindow): void {
  page = preloadBridge<string>(ipcRendererOf(window.webContents), (path) => path);
  page.listen((event) => events.push(event));
}
const ownListeners = () => process.listeners("uncaughtException").filter((one) => !othersListeners.includes(one));
const logged = () => readFileSync(join(plumbing.library, "logs/rushes.log"), "utf8");
const add = (values = {}) =>
  page.request("queue:add", { drafts: [{ values: { prompt: "A red ball bounces", numSteps: 4, ...values } }] });
const state = async (jobId: number) => (await page.request("history:detail", { jobId })).detail.state;

beforeAll(async () => {
  writeFileSync(argument, "");
  electron.appPath = root;
  electron.userData = join(plumbing.folder, "user");
  mkdirSync(electron.userData);
  process.env["RUSHES_LIBRARY"] = join(plumbing.folder, "not-this-one");
  process.argv = ["electron", root, "--inspect=0", "--library", plumbing.library, argument, "no-such-file.mp4"];
  await import("../../../app/main.ts");
  // On a Mac a file may come before the program is ready.
  app.emit("open-file", preventable(), early);
  electron.becomeReady();
  await until(() => BrowserWindow.getAllWindows().length > 0, "the window");
  connect(electron.window);
});
afterAll(async () => {
  if (app.exitCode === null) {
    electron.messageAnswers = [0];
    app.quit();
    await until(() => app.exitCode !== null, "the end of the program");
  }
  plumbing.remove();
});
beforeEach(() => {
  plumbing.script({ stepMs: 20 });
  events.length = 0;
  electron.calls.length = 0;
});

describe("the start", () => {
  test("sets up what must be set before the program is ready", () => {
    expect(electron.lockData).toEqual({ files: [argument], library: plumbing.library });
    expect(electron.schemes).toEqual([
      {
        scheme: "app",
        privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true, codeCache: true },
      },
    ]);
    expect(session.defaultSession.requestHandler).not.toBeNull();
  });

  test("makes one window that keeps its page apart from the machine", () => {
    expect(BrowserWindow.getAllWindows()).toHaveLength(1);
    const { options, loaded } = electron.window;
    expect(loaded).toEqual(["app://rushes/"]);
    expect(options).toMatchObject({ show: false, minWidth: 960, minHeight: 640 });
    // The checklist, word for word: a default that changes must not change this.
    expect(options.webPreferences).toEqual({
      preload: join(root, "out/app/preload.cjs"),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      nodeIntegrationInWorker: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      plugins: false,
      spellcheck: false,
      autoplayPolicy: "no-user-gesture-required",
    });
    expect(electron.window.visible).toBe(true);
  });

  test("hands on files that were given before anybody listened, once, in their order", async () => {
    const window = electron.window;
    const paths = window.webContents.sent
      .map(([, event]) => event as StudioEvent)
      .filter((e) => e.kind === "window:opened");
    expect(paths.map((event) => event.kind === "window:opened" && event.path)).toEqual([argument, early]);
  });
});

describe("the page", () => {
  test("is told who it speaks with", async () => {
    expect(await page.request("studio:hello", {})).toMatchObject({
      version: "0.1.0",
      libraryFolder: plumbing.library,
      door: "window",
      roots: [],
      language: "en-GB",
      capabilities: { showInFolder: true, chooseFiles: true, anyPath: true, notifications: true, systemTrash: true },
    });
  });

  test("makes a video: the machine stays awake, the taskbar shows progress, nobody is told while the window is looked at", async () => {
    const window = electron.window;
    electron.notifications.length = 0;
    window.progress.length = 0;
    window.focus();
    plumbing.script({ stepMs: 200 });
    const { jobs } = await add();
    const { id } = jobs[0]!;
    await until(async () => (await state(id)) === "running", "the job to run");
    await until(() => electron.blockers.size === 1, "the blocker");
    expect([...electron.blockers.values()]).toEqual(["prevent-app-suspension"]);
    await until(async () => (await state(id)) === "done", "the job to end");
    await until(() => electron.blockers.size === 0, "the blocker to go");
    expect(window.progress.some((fraction) => fraction > 0 && fraction < 1)).toBe(true);
    expect(window.progress.at(-1)).toBe(-1);
    expect(electron.notifications).toHaveLength(0);
    const { modulePath, words, options } = utilityProcess.started.at(-1)!;
    expect(modulePath).toMatch(/app\/engine\/worker\.ts$/);
    expect(words).toEqual([plumbing.environment["RUSHES_ADDON"]]);
    expect(getPriority(utilityProcess.started.at(-1)?.pid)).toBe(
      Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL),
    );
    expect(options).toMatchObject({ serviceName: "Rushes engine", stdio: ["ignore", "pipe", "pipe"] });
    const video = await electron.load(`app://rushes/media/video/${id}`, { headers: { range: "bytes=4-7" } });
    expect([video.status, await video.text()]).toEqual([206, "ftyp"]);
  });

  test("gets refusals as records, with every field", async () => {
    await expect(page.request("queue:cancel", { jobId: 99_999 })).rejects.toMatchObject({
      code: "job.unknown",
      advice: expect.any(String) as string,
    });
    await expect(page.request("queue:cancel", { jobId: "1" } as never)).rejects.toMatchObject({
      code: "request.invalid",
      sentence: '"jobId" is to be a whole number.',
    });
    await expect(page.request("studio:nothing" as never, {} as never)).rejects.toMatchObject({
      code: "request.invalid",
    });
    // An empty reason: such an object is no Error, of which only the message would cross.
    await expect(page.request("queue:cancel", { jobId: 99_999 })).rejects.not.toBeInstanceOf(Error);
  });

  test("hears that a video is ready when it is not looked at, and a click shows it", async () => {
    electron.notifications.length = 0;
    electron.window.blur();
    const { jobs } = await add({ prompt: "A notified ball" });
    await until(() => electron.notifications.length === 1, "the notification");
    const [notification] = electron.notifications;
    expect(notification).toMatchObject({ title: "Your video is ready", body: "A notified ball" });
    electron.window.minimised = true;
    notification!.emit("click");
    expect(openedPaths()).toEqual([`#/history/${jobs[0]!.id}`]);
    expect(electron.window).toMatchObject({ minimised: false, visible: true, focused: true });
  });

  test("survives the engine: its death fails or resumes the job, and the next job runs", async () => {
    plumbing.script({ stepMs: 30, crashInStep: 2 });
    const before = utilityProcess.started.length;
    const { id } = (await add()).jobs[0]!;
    await until(async () => (await state(id)) === "done", "the job to continue");
    expect(utilityProcess.started.length).toBeGreaterThan(before);
    plumbing.script({ stepMs: 30, crashAlways: 2 });
    const other = (await add()).jobs[0]!.id;
    await until(async () => (await state(other)) === "failed", "the job to fail");
    const { detail } = await page.request("history:detail", { jobId: other });
    expect(detail.error?.code).toBe("engine.crashed");
  });

  test("that reloads hears events again, and none meanwhile", async () => {
    const { webContents } = electron.window;
    webContents.navigate("app://rushes/");
    const sent = webContents.sent.length;
    await page.request("queue:pause", {});
    await page.request("queue:resume", {});
    expect(webContents.sent.length).toBe(sent);
    connect(electron.window);
    await page.request("queue:pause", {});
    await page.request("queue:resume", {});
    await until(() => events.some(({ kind }) => kind === "queue:changed"), "an event");
  });

  test("that dies is loaded again and finds everything", async () => {
    const window = electron.window;
    window.loaded.length = 0;
    window.webContents.crash();
    expect(window.loaded).toEqual(["app://rushes/"]);
    connect(window);
    expect((await page.request("studio:hello", {})).door).toBe("window");
  });
});

describe("the menu", () => {
  test("asks the window for places", () => {
    for (const id of [
      "new",
      "many-prompts",
      "view-generate",
      "view-queue",
      "view-history",
      "view-compare",
      "view-models",
      "view-settings",
    ])
      electron.click(id);
    for (const id of ["shortcuts", "diagnostics"]) electron.click(id);
    expect(openedPaths()).toEqual([
      "#new",
      "#/queue?many=1",
      "#/generate",
      "#/queue",
      "#/history",
      "#/compare",
      "#/models",
      "#/settings",
      "#shortcuts",
      "#/settings/diagnostics",
    ]);
  });

  test("opens a video's settings by way of the native dialog, and the library's folder", async () => {
    electron.openAnswers = [["/videos/one.mp4"]];
    electron.click("open-video");
    await until(() => openedPaths().length === 1, "the video");
    expect(openedPaths()).toEqual(["/videos/one.mp4"]);
    expect(electron.openDialogs.at(-1)).toMatchObject({ title: "Choose a video made by Rushes" });
    electron.click("open-video");
    electron.click("open-library");
    expect(electron.calls).toContain(`openPath ${plumbing.library}`);
    expect(openedPaths()).toHaveLength(1);
  });

  test("says what Rushes is", async () => {
    electron.messages.length = 0;
    electron.click("about");
    await until(() => electron.messages.length === 1, "the box");
    expect(electron.messages[0]).toMatchObject({ title: "About Rushes", message: "Rushes 0.1.0" });
  });
});

describe("the language chosen in the page", () => {
  const labels = () => electron.menu.map(({ label }) => label);
  afterAll(() => page.request("studio:chooseLanguage", { language: "system" }));

  test("is that of the menu, dialogs and notifications, until the system's is chosen again", async () => {
    expect(labels()).toContain("File");
    await page.request("studio:chooseLanguage", { language: "zh" });
    expect(labels()).toContain("文件");
    expect(electron.menuItem("view-compare").label).toBe("对比");
    electron.openAnswers = [[]];
    await page.request("studio:choosePath", { what: "image" });
    expect(electron.openDialogs.at(-1)).toMatchObject({ title: "选择图片" });
    electron.click("open-video");
    await until(() => electron.openDialogs.at(-1)?.title === "选择由 Rushes 生成的视频", "the dialog of the menu");
    electron.notifications.length = 0;
    electron.window.blur();
    await add();
    await until(() => electron.notifications.length === 1, "the notification");
    expect(electron.notifications[0]).toMatchObject({ title: "视频已完成" });
    await page.request("studio:chooseLanguage", { language: "system" });
    expect(labels()).toContain("File");
    await expect(page.request("studio:chooseLanguage", { language: "de" as never })).rejects.toMatchObject({
      code: "request.invalid",
    });
  });
});

describe("a second start", () => {
  const again = (data: unknown) => app.emit("second-instance", {}, ["rushes"], "/", data);

  test("hands its files on and brings the window forward", async () => {
    electron.messages.length = 0;
    const window = electron.window;
    window.minimised = true;
    window.blur();
    for (const nonsense of [null, undefined, "x", { files: "y" }]) again(nonsense);
    again({ files: ["/videos/two.mp4", "relative.mp4", 7] });
    await until(() => openedPaths().length > 0, "the file");
    expect(openedPaths()).toEqual(["/videos/two.mp4"]);
    expect(window).toMatchObject({ minimised: false, focused: true });
    again({ files: ["/videos/three.mp4"], library: plumbing.library });
    await until(() => openedPaths().length > 1, "the file of our library");
    expect(electron.messages).toHaveLength(0);
  });

  test("on another library says once which one is open", async () => {
    electron.messages.length = 0;
    const library = join(plumbing.folder, "other");
    electron.window.blur();
    for (let start = 1; start <= 3; start++) again({ files: ["/videos/two.mp4"], library });
    await until(() => electron.messages.length > 0, "the message");
    const { message, detail } = electron.messages[0]!;
    expect(message).toBe("Rushes has another library open.");
    expect(detail).toContain(plumbing.library);
    expect(detail).toContain(library);
    expect(electron.window.focused).toBe(true);
    expect(electron.messages).toHaveLength(1);
    expect(openedPaths()).toEqual([]);
    expect(existsSync(library)).toBe(false);
  });
});

describe("what nobody expected", () => {
  test("is written to the log, and said once in a run", () => {
    const [unexpected] = ownListeners();
    electron.errorBoxes.length = 0;
    unexpected!(new Error("first mishap"), "uncaughtException");
    unexpected!(new Error("second mishap"), "unhandledRejection");
    expect(logged()).toMatch(
      /unexpected error: Error: first mishap\n\s+at .*[^]*unexpected error: Error: second mishap/,
    );
    expect(electron.errorBoxes).toHaveLength(1);
    expect(electron.errorBoxes[0]).toContain("first mishap");
    const others = process.listeners("unhandledRejection");
    expect(others.filter((one) => (one as unknown) === unexpected)).toHaveLength(1);
  });

  test("is the end of a process, which is written to the log", () => {
    const details = { type: "GPU", reason: "crashed", exitCode: 139 };
    app.emit("child-process-gone", {}, details);
    app.emit(
      "child-process-gone",
      {},
      { ...details, type: "Utility", name: "Tidy", reason: "clean-exit", exitCode: 0 },
    );
    electron.window.webContents.crash("oom");
    connect(electron.window);
    expect(logged()).toContain("process GPU ended: crashed, exit code 139");
    expect(logged()).toContain("the page's process ended: oom, exit code 1");
    expect(logged()).not.toContain("Tidy");
  });
});

describe("the end", () => {
  test("is asked about while a job runs; staying keeps everything", async () => {
    plumbing.script({ stepMs: 400 });
    const { id } = (await add()).jobs[0]!;
    await until(async () => (await state(id)) === "running", "the job to run");
    electron.messages.length = 0;
    electron.messageAnswers = [1];
    app.quit();
    await until(() => electron.messages.length === 1, "the question");
    expect(electron.messages[0]).toMatchObject({
      message: "A video is being made.",
      detail: "Rushes keeps what is finished of it and continues at the next start.",
      defaultId: 1,
      cancelId: 1,
    });
    // While the first question is still being answered this asks nothing.
    const askAgain = () => {
      electron.window.close();
      return electron.messages.length === 2;
    };
    await until(askAgain, "the second question");
    expect(app.exitCode).toBeNull();
    expect(BrowserWindow.getAllWindows()).toHaveLength(1);
    expect(await state(id)).toBe("running");
  });

  test("is asked about while an export runs", async () => {
    await until(() => electron.blockers.size === 0, "the job to end");
    const running = {
      id: "1",
      jobId: 1,
      format: "gif",
      state: "running",
      fraction: 0,
      path: null,
      bytes: null,
    } as const;
    const list = vi.spyOn(StudioExports.prototype, "list");
    list.mockReturnValue([{ ...running, download: false, error: null }]);
    electron.messages.length = 0;
    electron.messageAnswers = [1];
    electron.window.close();
    await until(() => electron.messages.length === 1, "the question");
    list.mockRestore();
    expect(electron.messages[0]).toMatchObject({
      message: "A video is being exported.",
      detail: "Quitting cancels the export. The video itself stays in the library.",
    });
    expect(app.exitCode).toBeNull();
  });

  test("puts the job back into the queue, keeps the window's place, lets another start in and ends the engine", async () => {
    plumbing.script({ stepMs: 400 });
    const { id } = (await add()).jobs[0]!;
    await until(async () => (await state(id)) === "running", "the job to run");
    const { window } = electron;
    window.bounds = { x: 20, y: 30, width: 1200, height: 800 };
    electron.messageAnswers = [0];
    // Another start is a program of its own from then on; what still comes here is too late.
    const late = vi.spyOn(app, "releaseSingleInstanceLock").mockImplementationOnce(() => {
      expect(app.exitCode).toBeNull();
      app.emit("second-instance", {}, ["rushes"], "/", { files: ["/videos/late.mp4"], library: null });
      app.emit("activate");
    });
    window.close();
    await until(() => app.exitCode !== null, "the end");
    expect(late).toHaveBeenCalledOnce();
    expect(window.visible).toBe(false);
    expect(openedPaths()).toEqual([]);
    expect(app.exitCode).toBe(0);
    expect(BrowserWindow.getAllWindows()).toHaveLength(0);
    expect(electron.blockers.size).toBe(0);
    expect(utilityProcess.started.every(({ pid }) => pid === undefined)).toBe(true);
    const kept = JSON.parse(readFileSync(join(electron.userData, "window.json"), "utf8")) as object;
    expect(kept).toMatchObject({ bounds: { x: 20, y: 30, width: 1200, height: 800 } });
    expect(ownListeners()).toEqual([]);
    const { openDatabase } = await import("../../../app/history/database.ts");
    expect(existsSync(join(plumbing.library, "rushes.db"))).toBe(true);
    const database = openDatabase(join(plumbing.library, "rushes.db"));
    const { listJobs } = await import("../../../app/history/reads/jobs.ts");
    expect(listJobs(database, {})[0]).toMatchObject({ state: "queued" });
    database.close();
  });
});
