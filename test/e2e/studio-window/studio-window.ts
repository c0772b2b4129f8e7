// The stage of the browser's end-to-end tests: a real server on a temporary library with the demo model, Chromium at its
// printed link, and ways to reach what a person sees by role and name. One per test file.
import { type Browser, type BrowserContext, type Locator, type Page } from "playwright-core";
import type { ChannelName, ReplyOf, RequestOf } from "../../../contract/channels.ts";
import { type ServeOptions, ServeProcess } from "../../app/server/serve-process.ts";
import { startChromium } from "../chromium.ts";
import { buildWindow } from "./build-window.ts";

/** What a slow machine under load may take until something is seen, milliseconds. */
export const patience = 60_000;

export class StudioWindow {
  readonly browser: Browser;
  readonly context: BrowserContext;
  readonly page: Page;
  /** Replaced by `restart`. */
  server: ServeProcess;
  /** What the page's console said that it should not: errors and broken policies. */
  readonly complaints: string[] = [];

  private constructor(server: ServeProcess, browser: Browser, context: BrowserContext, page: Page) {
    this.server = server;
    this.browser = browser;
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(`error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // A server that is ended on purpose leaves these behind.
      if (/ERR_(CONNECTION|INCOMPLETE|EMPTY_RESPONSE)/.test(text)) return;
      if (message.type() === "error") this.complaints.push(`console: ${text}`);
    });
  }

  /** Builds the window where that is due, starts the server and opens its link. */
  static async open(options: ServeOptions = {}): Promise<StudioWindow> {
    await buildWindow();
    const [server, browser] = await Promise.all([ServeProcess.start(options), startChromium()]);
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    const window = new StudioWindow(server, browser, context, page);
    await page.goto(server.link);
    await page.getByRole("navigation").first().waitFor();
    return window;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.remove();
  }

  button(name: string | RegExp, within: Page | Locator = this.page): Locator {
    return within.getByRole("button", { name });
  }

  /** Goes to a view by its name in the header: "Generate", "Queue", "History", ... */
  async go(view: string): Promise<void> {
    await this.page
      .getByRole("navigation")
      .first()
      .getByRole("link", { name: new RegExp(`^${view}`) })
      .click();
  }

  /** Asks the studio itself, beside the window. */
  request<C extends ChannelName>(channel: C, value: RequestOf<C>): Promise<ReplyOf<C>> {
    return this.server.request(channel, value);
  }

  /** Ends the server (by default at once, as a power cut does) and starts it again on the same library, port and token, as
   * a service would be: the page connects again by itself. */
  async restart(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const { library, token, started } = this.server;
    await this.server.stop(signal);
    this.server = await ServeProcess.start({
      library,
      words: ["--port", String(started.port)],
      environment: { RUSHES_TOKEN: token },
    });
  }

  /** Waits until something is so; asks every 100 ms. */
  async until(condition: () => Promise<boolean>, what: string, milliseconds = patience): Promise<void> {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      if (await condition()) return;
      await this.page.waitForTimeout(100);
    }
    throw new Error(`Waited in vain for ${what}. ${this.complaints.join("; ")}${this.server.errors}`);
  }
}
