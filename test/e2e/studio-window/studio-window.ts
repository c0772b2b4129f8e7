// The stage of the browser's end-to-end tests: a real server on a temporary library with the demo model, Chromium at its
// printed link, and ways to reach what a person sees by role and name. One per test file.
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import type { ChannelName, ReplyOf, RequestOf } from "../../../contract/channels.ts";
import { type ServeOptions, ServeProcess } from "../../app/server/serve-process.ts";
import { startChromium } from "../chromium.ts";
import { engineOf } from "../engine-of.ts";
import { buildWindow } from "./build-window.ts";

/** What a slow machine under load may take until something is seen, milliseconds. */
export const patience = 60_000;

function videoSelector(jobId: number): string {
  return `video[src$="/media/video/${jobId}"]`;
}

export class StudioWindow {
  readonly browser: Browser;
  readonly context: BrowserContext;
  readonly page: Page;
  /** Replaced by `restart`. */
  server: ServeProcess;
  /** What the page's console said that it should not: errors and broken policies. */
  readonly complaints: string[] = [];
  #restarting = false;
  #ended = false;

  private constructor(server: ServeProcess, browser: Browser, context: BrowserContext, page: Page) {
    this.server = server;
    this.browser = browser;
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(`error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // A server that is ended on purpose refuses what comes while it ends, breaks off what it was answering, and leaves
      // nobody to answer until it is there again. How the browser names each depends on the moment, and it says so late.
      if (this.#restarting && /status of 503/.test(text)) return;
      if (this.#ended && /net::ERR_/.test(text)) return;
      if (message.type() === "error") this.complaints.push(`console: ${text} ${message.location().url}`);
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

  /** The server's engine process, or null while there is none. */
  get engineProcess(): number | null {
    return engineOf(this.server.started.processId);
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

  /** The prompt of the form. */
  get prompt(): Locator {
    return this.page.getByRole("textbox", { name: "Prompt", exact: true });
  }

  /** Unfolds the advanced settings, which are folded at the first start. */
  async unfold(): Promise<void> {
    const fold = this.button(/^Advanced Settings/);
    if ((await fold.getAttribute("aria-expanded")) === "false") await fold.click();
  }

  /** Chooses one of a setting's choices by their labels: choose("Quant Linear", "Int8"). */
  async choose(setting: string, choice: string): Promise<void> {
    const group = this.page.getByRole("radiogroup", { name: setting, exact: true });
    if (!(await group.isVisible())) await this.unfold();
    await group.getByRole("radio", { name: choice, exact: true }).click();
  }

  /** Types a number setting's value by its label, as a person does: typed("SLA Top-K", 0.15). */
  async type(setting: string, value: number): Promise<void> {
    const name = new RegExp(`^${setting}(: exact value)?$`);
    const field = this.page.getByRole("spinbutton", { name });
    if (!(await field.isVisible())) await this.unfold();
    await field.fill(String(value));
    await field.press("Tab");
  }

  /** Presses Generate once the form may, and gives the newest job's number. */
  async generate(): Promise<number> {
    const before = await this.#newest();
    await this.button(/^Generate/)
      .first()
      .click();
    let jobId = before;
    await this.until(async () => (jobId = await this.#newest()) > before, "the job to be accepted");
    return jobId;
  }

  async #newest(): Promise<number> {
    return (await this.request("history:find", { filter: {} })).ids[0] ?? 0;
  }

  /** Waits until the page has loaded the finished video of a job. */
  async shown(jobId: number): Promise<void> {
    await this.page.locator(videoSelector(jobId)).first().waitFor();
    const loaded = async () => ((await this.#withVideo(jobId, "(video) => video?.readyState ?? 0")) as number) >= 2;
    await this.until(loaded, "the video to load");
  }

  /** Stops the video that is shown at a time. Its picture there may be painted a moment later. */
  async seek(jobId: number, seconds: number): Promise<void> {
    await this.#withVideo(
      jobId,
      `async (video) => {
        video.pause();
        const sought = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
        video.currentTime = ${seconds};
        await sought;
      }`,
    );
  }

  /** The pixels that the video shows just now, red, green and blue in 0..255, row by row. */
  async pixels(jobId: number): Promise<{ width: number; height: number; rgb: number[] }> {
    return (await this.#withVideo(
      jobId,
      `(video) => {
        const canvas = document.createElement("canvas");
        const { videoWidth: width, videoHeight: height } = video;
        Object.assign(canvas, { width, height });
        const context = canvas.getContext("2d");
        context.drawImage(video, 0, 0);
        const { data } = context.getImageData(0, 0, width, height);
        return { width, height, rgb: Array.from(data).filter((_, index) => index % 4 !== 3) };
      }`,
    )) as { width: number; height: number; rgb: number[] };
  }

  /** Runs a function of the page, as text: the browser's names are not this program's. */
  #withVideo(jobId: number, text: string): Promise<unknown> {
    return this.page.evaluate(`(${text})(document.querySelector(${JSON.stringify(videoSelector(jobId))}))`);
  }

  /** Asks the studio itself, beside the window. */
  request<C extends ChannelName>(channel: C, value: RequestOf<C>): Promise<ReplyOf<C>> {
    return this.server.request(channel, value);
  }

  /** Ends the server (by default at once, as a power cut does) and starts it again on the same library, port and token, as
   * a service would be: the page connects again by itself. */
  async restart(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const { library, token, started } = this.server;
    this.#restarting = this.#ended = true;
    await this.server.stop(signal);
    this.server = await ServeProcess.start({
      library,
      words: ["--port", String(started.port)],
      environment: { RUSHES_TOKEN: token },
    });
    this.#restarting = false;
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
