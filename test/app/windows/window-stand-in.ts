// Windows and their contents as Electron has them: loading an address, closing that may be refused, and a page that speaks
// over IPC with copies of what it says.
import { EventEmitter } from "node:events";
import type * as Real from "electron";
import { preventable } from "./preventable.ts";

interface Frame {
  readonly url: string;
  readonly parent: Frame | null;
}

type UsedContents = Pick<Real.WebContents, "id" | "getURL" | "send" | "isDestroyed" | "forcefullyCrashRenderer">;
type OpenHandler = Parameters<Real.WebContents["setWindowOpenHandler"]>[0];

export class StandInContents extends EventEmitter implements UsedContents {
  static #count = 0;
  readonly id = ++StandInContents.#count;
  readonly sent: unknown[][] = [];
  readonly pageListeners = new Map<string, ((event: unknown, ...values: unknown[]) => void)[]>();
  openHandler: OpenHandler | null = null;
  #url = "";
  #destroyed = false;

  get mainFrame(): Frame {
    return { url: this.#url, parent: null };
  }

  getURL(): string {
    return this.#url;
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.openHandler = handler;
  }

  isDestroyed(): boolean {
    return this.#destroyed;
  }

  /** Values are copied, as by structured clone; what cannot be copied is refused. */
  send(channel: string, ...values: unknown[]): void {
    if (this.#destroyed) throw new TypeError("Object has been destroyed");
    const copies = structuredClone(values);
    this.sent.push([channel, ...copies]);
    for (const listener of this.pageListeners.get(channel) ?? []) listener({}, ...structuredClone(copies));
  }

  navigate(url: string): void {
    this.emit("did-start-navigation", preventable({ url, isMainFrame: true, isSameDocument: false }));
    this.pageListeners.clear();
    this.#url = url;
    this.emit("did-navigate", {}, url);
  }

  /** The page's process dies. */
  crash(reason = "crashed"): void {
    this.emit("render-process-gone", {}, { reason, exitCode: 1 });
  }

  forcefullyCrashRenderer(): void {
    this.crash("killed");
  }

  destroy(): void {
    this.#destroyed = true;
    this.emit("destroyed");
  }
}

type UsedWindow = Pick<
  Real.BrowserWindow,
  | "loadURL"
  | "show"
  | "hide"
  | "focus"
  | "restore"
  | "close"
  | "maximize"
  | "isMinimized"
  | "isMaximized"
  | "isFullScreen"
  | "isFocused"
  | "isDestroyed"
  | "getNormalBounds"
  | "setBackgroundColor"
  | "setProgressBar"
>;

export class BrowserWindow extends EventEmitter implements UsedWindow {
  static readonly #all = new Set<BrowserWindow>();
  /** Told by the app, which hears of every contents and of the last window. */
  static readonly births = new EventEmitter();
  readonly options: Real.BrowserWindowConstructorOptions;
  readonly webContents = new StandInContents();
  readonly loaded: string[] = [];
  readonly progress: number[] = [];
  bounds: Real.Rectangle;
  visible = false;
  focused = false;
  minimised = false;
  maximised = false;
  ground: string | undefined;
  #destroyed = false;

  static getAllWindows(): BrowserWindow[] {
    return [...BrowserWindow.#all];
  }

  constructor(options: Real.BrowserWindowConstructorOptions = {}) {
    super();
    this.options = options;
    const { x = 0, y = 0, width = 800, height = 600 } = options;
    this.bounds = { x, y, width, height };
    this.ground = options.backgroundColor;
    BrowserWindow.#all.add(this);
    BrowserWindow.births.emit("contents", this.webContents);
  }

  async loadURL(url: string): Promise<void> {
    this.loaded.push(url);
    this.webContents.navigate(url);
    await Promise.resolve();
    this.emit("ready-to-show");
  }

  show(): void {
    this.visible = true;
    this.focus();
  }

  hide(): void {
    this.visible = false;
    this.focused = false;
  }

  focus(): void {
    this.focused = true;
    this.emit("focus");
  }

  blur(): void {
    this.focused = false;
    this.emit("blur");
  }

  restore(): void {
    this.minimised = false;
  }

  maximize(): void {
    this.maximised = true;
  }

  isMinimized(): boolean {
    return this.minimised;
  }

  isMaximized(): boolean {
    return this.maximised;
  }

  isFullScreen(): boolean {
    return this.options.fullscreen ?? false;
  }

  isFocused(): boolean {
    return this.focused;
  }

  isDestroyed(): boolean {
    return this.#destroyed;
  }

  getNormalBounds(): Real.Rectangle {
    return this.bounds;
  }

  setBackgroundColor(color: string): void {
    this.ground = color;
  }

  setProgressBar(progress: number): void {
    if (this.#destroyed) throw new TypeError("Object has been destroyed");
    this.progress.push(progress);
  }

  /** "close" may be refused; "closed" comes once it is gone. */
  close(): void {
    if (this.#destroyed) return;
    const event = preventable();
    this.emit("close", event);
    if (event.defaultPrevented) return;
    this.#destroyed = true;
    BrowserWindow.#all.delete(this);
    this.webContents.destroy();
    this.emit("closed");
    if (BrowserWindow.#all.size === 0) BrowserWindow.births.emit("last-closed");
  }
}
