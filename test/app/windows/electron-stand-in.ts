// Stands where Electron stands in the tests of app/windows, app/ipc and app/main.ts (vitest.config.ts): the few APIs they use,
// with the order of events, the copying of messages and the refusals that Electron's documentation describes. Every part is held
// against Electron's own types. What tests need besides is in `electron`.
import { EventEmitter } from "node:events";
import { tmpdir } from "node:os";
import type * as Real from "electron";
import { preventable } from "./preventable.ts";
import { BrowserWindow, type StandInContents } from "./window-stand-in.ts";

export { BrowserWindow };
export { StandInUtilityProcess as utilityProcess } from "./utility-process-stand-in.ts";

/** What the operating system and the user do in a test, and what was asked of them. */
class ElectronControls {
  readonly calls: string[] = [];
  /** Set before main.ts is imported. */
  hasLock = true;
  lockData: unknown = null;
  schemes: Real.CustomScheme[] = [];
  schemeHandlers = new Map<string, (request: Request) => Response | Promise<Response>>();
  menu: Real.MenuItemConstructorOptions[] = [];
  notifications: Notification[] = [];
  blockers = new Map<number, string>();
  /** What the next dialogs answer; the first is taken. */
  openAnswers: string[][] = [];
  messageAnswers: (number | Promise<number>)[] = [];
  messages: Real.MessageBoxOptions[] = [];
  openDialogs: Real.OpenDialogOptions[] = [];
  errorBoxes: string[] = [];
  trashFails = false;
  displays: Real.Rectangle[] = [{ x: 0, y: 0, width: 1920, height: 1080 }];
  languages = ["en-GB"];
  userData = tmpdir();
  appPath = "";
  isReady = false;
  readonly ready = Promise.withResolvers<undefined>();

  /** Electron becomes ready once the main module has been evaluated to its end, and not while it waits for something. */
  becomeReady(): void {
    this.isReady = true;
    this.ready.resolve(undefined);
    app.emit("ready");
  }

  /** A page's request for an address, as Chromium makes it. */
  async load(address: string, init: RequestInit = {}): Promise<Response> {
    const handler = this.schemeHandlers.get(new URL(address).protocol.replace(":", ""));
    if (!handler) throw new TypeError("ERR_UNKNOWN_URL_SCHEME");
    return await handler(new Request(address, init));
  }

  get window(): BrowserWindow {
    const [window] = BrowserWindow.getAllWindows();
    if (!window) throw new Error("There is no window");
    return window;
  }

  menuItem(id: string): Real.MenuItemConstructorOptions {
    const all = (items: readonly Real.MenuItemConstructorOptions[]): Real.MenuItemConstructorOptions[] =>
      items.flatMap((item) => [item, ...(Array.isArray(item.submenu) ? all(item.submenu) : [])]);
    const found = all(this.menu).find((item) => item.id === id);
    if (!found) throw new Error(`There is no menu item ${id}`);
    return found;
  }

  click(id: string): void {
    const { click } = this.menuItem(id);
    click?.call({} as Real.MenuItem, {} as Real.MenuItem, undefined, {} as Real.KeyboardEvent);
  }
}

export const electron = new ElectronControls();

function beforeReady(what: string): void {
  if (electron.isReady) throw new Error(`${what} must be called before the app is ready`);
}

type UsedApp = Pick<
  Real.App,
  | "enableSandbox"
  | "isPackaged"
  | "requestSingleInstanceLock"
  | "releaseSingleInstanceLock"
  | "whenReady"
  | "quit"
  | "exit"
  | "getAppPath"
  | "getPath"
  | "getVersion"
  | "getPreferredSystemLanguages"
  | "focus"
>;

class App extends EventEmitter implements UsedApp {
  readonly isPackaged = false;
  #exited: number | null = null;

  /** null while the program runs. */
  get exitCode(): number | null {
    return this.#exited;
  }

  enableSandbox(): void {
    beforeReady("enableSandbox");
    electron.calls.push("enableSandbox");
  }

  requestSingleInstanceLock(data?: Record<string, unknown>): boolean {
    electron.lockData = structuredClone(data);
    return electron.hasLock;
  }

  releaseSingleInstanceLock(): void {
    electron.hasLock = false;
  }

  async whenReady(): Promise<void> {
    await electron.ready.promise;
  }

  /** before-quit, then every window is closed; both may refuse. */
  quit(): void {
    const event = preventable();
    this.emit("before-quit", event);
    if (event.defaultPrevented) return;
    for (const window of BrowserWindow.getAllWindows()) window.close();
    if (BrowserWindow.getAllWindows().length > 0) return;
    this.exit(0);
  }

  exit(code = 0): void {
    this.#exited = code;
    this.emit("quit", {}, code);
  }

  getAppPath(): string {
    return electron.appPath;
  }

  getPath(name: string): string {
    if (name !== "userData") throw new Error(`Failed to get '${name}' path`);
    return electron.userData;
  }

  getVersion(): string {
    return "0.1.0";
  }

  getPreferredSystemLanguages(): string[] {
    return electron.languages;
  }

  focus(): void {
    electron.calls.push("app.focus");
  }
}

export const app = new App();
BrowserWindow.births.on("contents", (contents: StandInContents) => {
  // The app hears of it before whoever asks the contents.
  contents.on("render-process-gone", (event, details) => app.emit("render-process-gone", event, contents, details));
  app.emit("web-contents-created", {}, contents);
});
BrowserWindow.births.on("last-closed", () => app.emit("window-all-closed"));

export const protocol = {
  registerSchemesAsPrivileged(schemes: Real.CustomScheme[]): void {
    beforeReady("registerSchemesAsPrivileged");
    electron.schemes = schemes;
  },
  handle(scheme: string, handler: (request: Request) => Response | Promise<Response>): void {
    if (electron.schemeHandlers.has(scheme)) throw new Error(`The scheme ${scheme} is handled already`);
    electron.schemeHandlers.set(scheme, handler);
  },
} satisfies Pick<Real.Protocol, "registerSchemesAsPrivileged" | "handle">;

type RequestHandler = Parameters<Real.Session["setPermissionRequestHandler"]>[0];
type CheckHandler = Parameters<Real.Session["setPermissionCheckHandler"]>[0];

type UsedSession = Pick<
  Real.Session,
  "setPermissionRequestHandler" | "setPermissionCheckHandler" | "setDevicePermissionHandler" | "setSpellCheckerEnabled"
>;

class StandInSession extends EventEmitter implements UsedSession {
  requestHandler: RequestHandler = null;
  checkHandler: CheckHandler = null;
  deviceHandler: (() => boolean) | null = null;
  spellChecker = true;
  blocked: {
    urls: string[];
    answer: (details: unknown, callback: (response: { cancel?: boolean }) => void) => void;
  } | null = null;
  readonly webRequest = {
    onBeforeRequest: (
      filter: Real.WebRequestFilter,
      answer: (details: unknown, callback: (response: { cancel?: boolean }) => void) => void,
    ) => void (this.blocked = { urls: filter.urls, answer }),
  };

  setPermissionRequestHandler(handler: RequestHandler): void {
    this.requestHandler = handler;
  }

  setPermissionCheckHandler(handler: CheckHandler): void {
    this.checkHandler = handler;
  }

  setDevicePermissionHandler(handler: ((details: never) => boolean) | null): void {
    this.deviceHandler = handler as (() => boolean) | null;
  }

  setSpellCheckerEnabled(enable: boolean): void {
    this.spellChecker = enable;
  }
}

export const session = { defaultSession: new StandInSession() };

type InvokeHandler = (event: unknown, ...values: unknown[]) => unknown;

class IpcMain extends EventEmitter {
  readonly handlers = new Map<string, InvokeHandler>();

  handle(channel: string, handler: InvokeHandler): void {
    if (this.handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`);
    this.handlers.set(channel, handler);
  }

  removeHandler(channel: string): void {
    this.handlers.delete(channel);
  }
}

export const ipcMain = new IpcMain() satisfies Pick<Real.IpcMain, "removeHandler">;

/** What a page's preload has as ipcRenderer. `frame` is who speaks: the page itself unless a test says otherwise. */
export function ipcRendererOf(contents: StandInContents, frame: () => unknown = () => contents.mainFrame) {
  const event = () => ({ sender: contents, senderFrame: frame() });
  return {
    /** Errors keep their message alone. */
    invoke: async (channel: string, ...values: unknown[]): Promise<unknown> => {
      const handler = ipcMain.handlers.get(channel);
      const refused = (why: unknown) => new Error(`Error invoking remote method '${channel}': ${String(why)}`);
      if (!handler) throw refused("No handler registered");
      try {
        return structuredClone(await handler(event(), ...structuredClone(values)));
      } catch (error) {
        throw refused(error);
      }
    },
    send: (channel: string, ...values: unknown[]): void => {
      ipcMain.emit(channel, event(), ...structuredClone(values));
    },
    on: (channel: string, listener: (event: unknown, ...values: unknown[]) => void): void => {
      const { pageListeners } = contents;
      pageListeners.set(channel, [...(pageListeners.get(channel) ?? []), listener]);
    },
  };
}

export const Menu = {
  buildFromTemplate: (template: Real.MenuItemConstructorOptions[]): Real.Menu => template as unknown as Real.Menu,
  setApplicationMenu: (menu: Real.Menu | null): void => {
    electron.menu = menu as unknown as Real.MenuItemConstructorOptions[];
  },
} satisfies Pick<typeof Real.Menu, "buildFromTemplate" | "setApplicationMenu">;

export class Notification extends EventEmitter implements Pick<Real.Notification, "title" | "body" | "show" | "close"> {
  title: string;
  body: string;
  shown = false;

  static isSupported(): boolean {
    return true;
  }

  constructor({ title = "", body = "" }: Real.NotificationConstructorOptions = {}) {
    super();
    this.title = title;
    this.body = body;
  }

  show(): void {
    this.shown = true;
    electron.notifications.push(this);
  }

  close(): void {
    this.shown = false;
    this.emit("close", preventable());
  }
}

let blockerCount = 0;
export const powerSaveBlocker = {
  start(type) {
    electron.blockers.set(++blockerCount, type);
    return blockerCount;
  },
  stop: (id) => electron.blockers.delete(id),
} satisfies Pick<Real.PowerSaveBlocker, "start" | "stop">;

type OpenArguments = [Real.OpenDialogOptions] | [unknown, Real.OpenDialogOptions];
type MessageArguments = [Real.MessageBoxOptions] | [unknown, Real.MessageBoxOptions];

export const dialog = {
  showOpenDialog: (...values: OpenArguments): Promise<Real.OpenDialogReturnValue> => {
    electron.openDialogs.push(values.at(-1) as Real.OpenDialogOptions);
    const filePaths = electron.openAnswers.shift() ?? [];
    return Promise.resolve({ canceled: filePaths.length === 0, filePaths });
  },
  showMessageBox: async (...values: MessageArguments): Promise<Real.MessageBoxReturnValue> => {
    const options = values.at(-1) as Real.MessageBoxOptions;
    electron.messages.push(options);
    const cancelled = options.cancelId ?? 0;
    const closed = new Promise<number>((resolve) =>
      options.signal?.addEventListener("abort", () => resolve(cancelled), { once: true }),
    );
    const answer = electron.messageAnswers.shift() ?? cancelled;
    return { response: await Promise.race([answer, closed]), checkboxChecked: false };
  },
  showErrorBox: (title: string, content: string): void => void electron.errorBoxes.push(`${title}\n${content}`),
} satisfies Pick<Real.Dialog, "showOpenDialog" | "showMessageBox" | "showErrorBox">;

export const shell = {
  openExternal: (url) => {
    electron.calls.push(`openExternal ${url}`);
    return Promise.resolve();
  },
  openPath: (path) => {
    electron.calls.push(`openPath ${path}`);
    return Promise.resolve("");
  },
  showItemInFolder: (path) => void electron.calls.push(`showItemInFolder ${path}`),
  trashItem: (path) => {
    electron.calls.push(`trashItem ${path}`);
    return electron.trashFails ? Promise.reject(new Error("Failed to move item to trash")) : Promise.resolve();
  },
} satisfies Pick<Real.Shell, "openExternal" | "openPath" | "showItemInFolder" | "trashItem">;

function displayOf(workArea: Real.Rectangle, id: number): Real.Display {
  return { id, workArea, bounds: workArea } as Real.Display;
}

export const screen = {
  getPrimaryDisplay: () => displayOf(electron.displays[0]!, 0),
  getAllDisplays: () => electron.displays.map(displayOf),
} satisfies Pick<Real.Screen, "getPrimaryDisplay" | "getAllDisplays">;

export const powerMonitor = new EventEmitter();
