// The one window: what its page may use of Electron (nothing), its place on the screen, and what happens when its page dies.
import { app, BrowserWindow, screen, type WebPreferences } from "electron";
import { appPage } from "./app-address.ts";
import {
  fittingBounds,
  readWindowState,
  smallestHeight,
  smallestWidth,
  type WindowState,
  writeWindowState,
} from "./window-state.ts";

/** Everything that keeps the page apart from the machine, defaults included: stated so that a test can hold them. */
export function pagePreferences(preload: string): WebPreferences {
  return {
    preload,
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
    // Its dictionaries would be fetched from the network.
    spellcheck: false,
    // Clips play silently when they are pointed at.
    autoplayPolicy: "no-user-gesture-required",
  };
}

export interface MainWindowOptions {
  readonly preload: string;
  /** The file that keeps the window's place. */
  readonly stateFile: string;
  /** Asked before the window closes; false keeps it. */
  mayClose(): boolean;
  /** The page died so often that loading it again is of no use. */
  onHopeless(reason: string): void;
}

/** Milliseconds after the last move until the place is written. */
const settleTime = 400;
/** A page that dies more often than this within a minute is not loaded again. */
const mostDeaths = 3;

/** Shows itself when its page is ready to be seen. */
export function createMainWindow(options: MainWindowOptions): BrowserWindow {
  const { stateFile } = options;
  const state = readWindowState(stateFile);
  const window = new BrowserWindow({
    ...fittingBounds(state.bounds, workAreas()),
    minWidth: smallestWidth,
    minHeight: smallestHeight,
    show: false,
    title: "Rushes",
    backgroundColor: state.ground,
    fullscreen: state.fullScreen,
    webPreferences: pagePreferences(options.preload),
  });
  window.once("ready-to-show", () => {
    // Not earlier: it would show a window whose page is not there yet.
    if (state.maximised) window.maximize();
    window.show();
  });
  keepPlace(window, state, stateFile);
  window.on("close", (event) => {
    if (!options.mayClose()) event.preventDefault();
  });
  reviveDeadPage(window, options);
  void window.loadURL(appPage);
  return window;
}

function keepPlace(window: BrowserWindow, state: WindowState, file: string): void {
  let { ground } = state;
  let timer: NodeJS.Timeout | undefined;
  const write = () => {
    clearTimeout(timer);
    if (window.isDestroyed()) return;
    const { x, y, width, height } = window.getNormalBounds();
    const [maximised, fullScreen] = [window.isMaximized(), window.isFullScreen()];
    writeWindowState(file, { bounds: { x, y, width, height }, maximised, fullScreen, ground });
  };
  const writeSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(write, settleTime);
  };
  window.on("resize", writeSoon);
  window.on("move", writeSoon);
  window.on("close", write);
  // The page's theme is the page's own choice; the window's ground and the next start's follow it.
  window.webContents.on("did-change-theme-color", (_event, color) => {
    if (color === null || !/^#[0-9a-f]{6}$/i.test(color)) return;
    ground = color;
    window.setBackgroundColor(color);
    writeSoon();
  });
}

/** The studio lives in this process: a page that died is loaded again and finds everything as it was. */
function reviveDeadPage(window: BrowserWindow, { onHopeless }: MainWindowOptions): void {
  let deaths: number[] = [];
  window.webContents.on("render-process-gone", (_event, { reason }) => {
    if (reason === "clean-exit" || window.isDestroyed()) return;
    const now = Date.now();
    deaths = [...deaths.filter((at) => now - at < 60_000), now];
    if (deaths.length > mostDeaths) onHopeless(reason);
    else void window.loadURL(appPage);
  });
}

function workAreas() {
  const main = screen.getPrimaryDisplay();
  const others = screen.getAllDisplays().filter(({ id }) => id !== main.id);
  return [main, ...others].map(({ workArea }) => workArea);
}

/** Brings a window before the user, whatever state it is in. */
export function bringForward(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
  if (process.platform === "darwin") app.focus({ steal: true });
}
