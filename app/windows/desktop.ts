// The desktop program once Electron is ready: one studio, one window, and the threads between them and the system.
import { join } from "node:path";
import { inspect } from "node:util";
import { app, BrowserWindow, dialog, Menu, powerMonitor, protocol, session, shell, type WebContents } from "electron";
import type { LanguageChoice } from "../../contract/channels/studio.ts";
import type { Door } from "../channels/door.ts";
import { keepTrash } from "../channels/history-channels.ts";
import { Pages } from "../channels/page-response.ts";
import { handlersOf } from "../channels/registry.ts";
import { studioMedia } from "../channels/studio-media.ts";
import { Uploads } from "../channels/uploads.ts";
import { installedAddonPath } from "../engine/worker-start.ts";
import { serveIpc } from "../ipc/serve-ipc.ts";
import { WindowListeners } from "../ipc/window-listeners.ts";
import { openStudio } from "../studio/open-studio.ts";
import type { Studio } from "../studio/studio.ts";
import { noticesPath, showAbout } from "./about.ts";
import { appOrigin } from "./app-address.ts";
import { serveAppScheme } from "./app-protocol.ts";
import { guardContents, guardSession } from "./guard-session.ts";
import { JobSignals } from "./job-signals.ts";
import { Leaving } from "./leaving.ts";
import { bringForward, createMainWindow } from "./main-window.ts";
import { menuTemplate, type Place } from "./menu.ts";
import { type NativeWords, nativeWords } from "./native-words.ts";
import type { OpenedFiles } from "./opened-files.ts";
import { watchProcessFailures } from "./process-failures.ts";
import { isSameFolder, type SecondStart } from "./second-start.ts";
import { showMessage } from "./show-message.ts";
import { watchStuckPage } from "./stuck-page.ts";
import { forkUtilityEngine } from "./utility-engine-process.ts";
import { windowDoor } from "./window-door.ts";

export class Desktop {
  readonly #studio: Studio;
  readonly #opened: OpenedFiles;
  readonly #door: Door;
  /** In the language chosen in the page; until the page has said so, in the system's. */
  #words: NativeWords;
  readonly #listeners: WindowListeners<WebContents>;
  readonly #signals: JobSignals;
  readonly #leaving: Leaving;
  readonly #stops: (() => void)[] = [];
  readonly #stopWatching: () => void;
  #window: BrowserWindow | null = null;
  #saysOtherLibrary = false;

  /** Opens the studio on that library, or the usual one, and the window. Throws a RushesError when the library cannot be
   * used. */
  static async open(opened: OpenedFiles, libraryFolder: string | undefined): Promise<Desktop> {
    const studio = await openStudio({
      ...(libraryFolder === undefined ? {} : { libraryFolder }),
      spawnEngine: forkUtilityEngine,
      background: true,
      ...(app.isPackaged ? { addonPath: installedAddonPath(process.resourcesPath) } : {}),
    });
    try {
      return new Desktop(studio, opened);
    } catch (error) {
      await studio.close();
      throw error;
    }
  }

  private constructor(studio: Studio, opened: OpenedFiles) {
    this.#studio = studio;
    this.#opened = opened;
    this.#words = wordsIn("system");
    this.#stopWatching = watchProcessFailures({ log: studio.log, words: () => this.#words });
    this.#listeners = new WindowListeners(studio);
    this.#signals = new JobSignals(studio, {
      words: () => this.#words,
      window: () => this.#window,
      showResult: (jobId) => this.#show(`#/history/${jobId}`),
    });
    this.#leaving = this.#watchLeaving();
    this.#door = windowDoor({
      words: () => this.#words,
      language: app.getPreferredSystemLanguages()[0] ?? null,
      window: () => this.#window,
      chooseLanguage: (choice) => this.#chooseLanguage(choice),
    });
    this.#serve();
    this.#setMenu();
    this.#createWindow();
    studio.run();
  }

  /** Shows its files here, unless it was to open another library than ours. */
  secondStart({ files, library }: SecondStart): void {
    if (this.#leaving.isUnderWay) return;
    const { libraryFolder } = this.#studio;
    this.bringForward();
    if (library !== null && !isSameFolder(library, libraryFolder)) void this.#sayOtherLibrary(library);
    else for (const file of files) this.#opened.open(file);
  }

  bringForward(): void {
    if (this.#leaving.isUnderWay) return;
    if (this.#window) bringForward(this.#window);
    else this.#createWindow();
  }

  /** The transports, and what guards them. */
  #serve(): void {
    const studio = this.#studio;
    const door = this.#door;
    const uploads = new Uploads(join(studio.libraryFolder, "cache", "uploads"));
    const handlers = handlersOf(studio, { version: app.getVersion(), uploadPath: (id) => uploads.picturePath(id) });
    guardSession(session.defaultSession);
    app.on("web-contents-created", (_event, contents) =>
      guardContents(contents, (address) => shell.openExternal(address)),
    );
    serveAppScheme(protocol, {
      handlers,
      door,
      uploads,
      pages: new Pages(join(app.getAppPath(), "out", "renderer")),
      media: { media: (item) => (item.kind === "upload" ? uploads.picture(item.id) : studioMedia(studio, item)) },
      log: studio.log,
    });
    this.#stops.push(
      serveIpc({
        handlers,
        door,
        log: studio.log,
        listeners: this.#listeners,
        origin: appOrigin,
        isOwn: (contents) => contents === this.#window?.webContents,
      }),
      keepTrash(studio, door),
    );
  }

  #createWindow(): void {
    const window = createMainWindow({
      preload: join(app.getAppPath(), "out", "app", "preload.cjs"),
      stateFile: join(app.getPath("userData"), "window.json"),
      mayClose: () => this.#mayClose(),
      onHopeless: (reason) => {
        const { pageDied, pageDiedAdvice, pageDiedAdviceInstalled } = this.#words;
        const advice = app.isPackaged ? pageDiedAdviceInstalled : pageDiedAdvice;
        dialog.showErrorBox(pageDied, `${advice}\n\n${reason}`);
        void this.#leaving.leave({ unasked: true });
      },
    });
    this.#window = window;
    watchStuckPage(window, { log: this.#studio.log, words: () => this.#words });
    window.on("closed", () => (this.#window = null));
    // What is opened is said to windows that listen; a new one listens a moment after it was made.
    this.#listeners.whenHeard(() =>
      this.#opened.deliver((path) => {
        this.bringForward();
        this.#listeners.whenHeard(() => this.#studio.announce({ kind: "window:opened", path }));
      }),
    );
  }

  /** On a Mac programs outlive their windows; elsewhere the window's end is the program's. */
  #mayClose(): boolean {
    if (this.#leaving.allowed || process.platform === "darwin") return true;
    void this.#leaving.leave();
    return false;
  }

  #watchLeaving(): Leaving {
    const leaving = new Leaving({
      isRunning: () => this.#signals.work.length > 0,
      ask: () => this.#askToQuit(),
      close: () => this.#close(),
      failed: (error) => this.#studio.log.write(`the program did not close in order: ${inspect(error)}`),
      quit: () => app.quit(),
    });
    app.on("before-quit", (event) => {
      if (leaving.allowed) return;
      event.preventDefault();
      void leaving.leave();
    });
    app.on("window-all-closed", () => {
      if (process.platform !== "darwin") void leaving.leave();
    });
    // Nobody is there to answer.
    const unasked = () => void leaving.leave({ unasked: true });
    powerMonitor.on("shutdown", unasked);
    process.on("SIGTERM", unasked);
    process.on("SIGINT", unasked);
    return leaving;
  }

  /** Resolves with true where the user wants to quit what runs. */
  async #askToQuit(): Promise<boolean> {
    const words = this.#words;
    const { work } = this.#signals;
    const details = work.map((one) => (one === "job" ? words.quitDetail : words.quitExportDetail));
    const chosen = await showMessage(this.#window, {
      type: "question",
      message: work.includes("job") ? words.quitQuestion : words.quitExportQuestion,
      detail: details.join("\n"),
      buttons: [words.quitNow, words.stay],
      defaultId: 1,
      cancelId: 1,
      noLink: true,
    });
    return chosen === 0;
  }

  async #close(): Promise<void> {
    // From now on another start is a program of its own: this one could only swallow what it hands over.
    app.releaseSingleInstanceLock();
    this.#window?.hide();
    for (const stop of this.#stops) stop();
    this.#signals.close();
    this.#listeners.close();
    await this.#studio.close();
    // Last, so that what goes wrong while closing is written down too.
    this.#stopWatching();
  }

  /** Once at a time: impatient people start a program several times. */
  async #sayOtherLibrary(asked: string): Promise<void> {
    if (this.#saysOtherLibrary) return;
    this.#saysOtherLibrary = true;
    const words = this.#words;
    await showMessage(this.#window, {
      type: "info",
      message: words.otherLibrary,
      detail: words.otherLibraryDetail(this.#studio.libraryFolder, asked),
      buttons: [words.understood],
      noLink: true,
    }).finally(() => (this.#saysOtherLibrary = false));
  }

  #setMenu(): void {
    const template = menuTemplate(this.#words, process.platform, {
      show: (place) => this.#show(place),
      openVideo: () => void this.#openVideo(),
      openLibrary: () => void shell.openPath(this.#studio.libraryFolder),
      about: () => void showAbout(this.#words, this.#window, noticesPath()),
    });
    Menu.setApplicationMenu(Menu.buildFromTemplate(template));
  }

  #chooseLanguage(choice: LanguageChoice): void {
    this.#words = wordsIn(choice);
    this.#setMenu();
  }

  #show(place: Place): void {
    this.#opened.open(place);
  }

  async #openVideo(): Promise<void> {
    const path = await this.#door.choosePath("video");
    if (path !== null) this.#opened.open(path);
  }
}

function wordsIn(choice: LanguageChoice): NativeWords {
  return nativeWords(choice === "system" ? app.getPreferredSystemLanguages() : [choice]);
}
