// The desktop window without Electron's binary: the built page in Chromium, the built preload.cjs in front of it, and behind it
// the window's own functions (app/ipc, app/windows) on a real studio whose engine speaks as in a utility process. What is
// missing is Electron's own part: its processes, its native menus, its isolation.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import type { Browser, Page } from "playwright-core";
import { Pages } from "../../../app/channels/page-response.ts";
import { handlersOf } from "../../../app/channels/registry.ts";
import { studioMedia } from "../../../app/channels/studio-media.ts";
import { Uploads } from "../../../app/channels/uploads.ts";
import { replyTo } from "../../../app/ipc/ipc-reply.ts";
import { eventMessage, listenMessage, requestMessage } from "../../../app/ipc/message-names.ts";
import { WindowListeners } from "../../../app/ipc/window-listeners.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { appResponse } from "../../../app/windows/app-protocol.ts";
import { nativeWords } from "../../../app/windows/native-words.ts";
import { forkUtilityEngine } from "../../../app/windows/utility-engine-process.ts";
import { windowDoor } from "../../../app/windows/window-door.ts";
import { projectRoot } from "../../app/server/serve-process.ts";
import { startChromium } from "../chromium.ts";
import { buildWindow } from "../studio-window/build-window.ts";

/** Electron as the preload sees it, made of functions that Playwright puts into the page. */
function preloadScript(): string {
  const preload = readFileSync(join(projectRoot, "out/app/preload.cjs"), "utf8");
  return `(() => {
    const electron = {
      contextBridge: { exposeInMainWorld: (name, bridge) => Object.defineProperty(window, name, { value: bridge }) },
      ipcRenderer: {
        invoke: (message, channel, value) => window.invokeForTest(message, channel, value),
        send: (message, wanted) => void window.sendForTest(message, wanted),
        on: (message, listener) => (window[message] = (event) => listener({}, event)),
      },
      webUtils: { getPathForFile: () => "" },
    };
    ((require) => {\n${preload}\n})(() => electron);
  })();`;
}

export class BridgedWindow {
  readonly page: Page;
  readonly studio: Studio;
  readonly complaints: string[] = [];
  readonly #folder: string;
  readonly #browser: Browser;
  readonly #server: Server;
  readonly #listeners: WindowListeners<Page>;

  static async open(): Promise<BridgedWindow> {
    await buildWindow();
    const folder = mkdtempSync(join(tmpdir(), "rushes-bridged-"));
    const studio = await openStudio({ libraryFolder: join(folder, "library"), spawnEngine: forkUtilityEngine });
    const browser = await startChromium();
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
    const window = new BridgedWindow(folder, studio, browser, await context.newPage());
    studio.run();
    await window.#load();
    return window;
  }

  private constructor(folder: string, studio: Studio, browser: Browser, page: Page) {
    this.#folder = folder;
    this.studio = studio;
    this.#browser = browser;
    this.page = page;
    this.#listeners = new WindowListeners(studio);
    this.#server = createServer();
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(`${message.text()} ${message.location().url}`);
    });
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    this.#server.close();
    this.#listeners.close();
    await this.studio.close();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  async #load(): Promise<void> {
    const { studio, page } = this;
    const uploads = new Uploads(join(this.#folder, "uploads"));
    const door = windowDoor({
      words: () => nativeWords(["en"]),
      language: "en-GB",
      window: () => null,
      chooseLanguage: () => {},
    });
    const handlers = handlersOf(studio, { version: "0.1.0", uploadPath: (id) => uploads.picturePath(id) });
    const parts = {
      handlers,
      door,
      uploads,
      pages: new Pages(join(projectRoot, "out/renderer")),
      media: { media: (item: Parameters<typeof studioMedia>[1]) => studioMedia(studio, item) },
      log: studio.log,
    };
    // Chromium knows app:// from Electron only; the answers are the scheme's.
    const listener = getRequestListener(
      (asked) => {
        const { pathname, search } = new URL(asked.url);
        const { method, headers, body } = asked;
        const init = { method, headers, ...(body ? { body, duplex: "half" as const } : {}) };
        return appResponse(new Request(`app://rushes${pathname}${search}`, init), parts);
      },
      { overrideGlobalObjects: false },
    );
    this.#server.on("request", (request, response) => void listener(request, response));
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));

    await page.exposeFunction("invokeForTest", (message: string, channel: unknown, value: unknown) => {
      if (message !== requestMessage) throw new Error(`Nobody answers ${message}`);
      return replyTo(channel, value, { handlers, door, log: studio.log });
    });
    await page.exposeFunction("sendForTest", (message: string, wanted: unknown) => {
      if (message !== listenMessage) throw new Error(`Nobody hears ${message}`);
      if (wanted !== true) return this.#listeners.remove(page);
      this.#listeners.add(page, {
        send: (event) =>
          void page
            .evaluate(`window[${JSON.stringify(eventMessage)}]?.(${JSON.stringify(event)})`)
            // The page is being loaded again.
            .catch(() => {}),
      });
    });
    await page.addInitScript({ content: preloadScript() });
    await page.goto(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
    await page.getByRole("navigation").first().waitFor();
  }
}
