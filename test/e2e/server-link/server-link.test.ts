// Chromium opens the printed link: the token leaves the address bar and the history, the page obeys its policy, and other
// pages of this machine reach nothing.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serve } from "../local-server.ts";
import { StudioWindow } from "../studio-window/studio-window.ts";

let studio: StudioWindow;
beforeAll(async () => {
  studio = await StudioWindow.open();
});
afterAll(() => studio?.close());

describe("the printed link", () => {
  test("leaves no token in the address, the history, the page or what the page may read", async () => {
    const { page, server } = studio;
    expect(new URL(page.url()).origin).toBe(server.address);
    const seen = (await page.evaluate(`({
      address: location.href,
      referrer: document.referrer,
      cookies: document.cookie,
      text: document.documentElement.outerHTML,
      entries: performance.getEntriesByType("navigation").map(({ name }) => name),
    })`)) as { cookies: string };
    expect(JSON.stringify(seen)).not.toContain(server.token);
    expect(seen.cookies).toBe("");
    const session = await studio.context.newCDPSession(page);
    const { entries } = await session.send("Page.getNavigationHistory");
    expect(entries.map(({ url }) => url).filter((url) => url.includes("token"))).toEqual([]);
  });

  test("sets a cookie that scripts cannot read and other sites do not send", async () => {
    const [cookie] = await studio.context.cookies();
    expect(cookie).toMatchObject({
      name: `rushes-${studio.server.started.port}`,
      httpOnly: true,
      sameSite: "Strict",
      path: "/",
    });
    expect(cookie?.value).not.toBe(studio.server.token);
  });

  test("opens from a page of another site too", async () => {
    const context = await studio.browser.newContext();
    const other = await serve("/", `<a href="${studio.server.link}">Open</a>`);
    try {
      const page = await context.newPage();
      // Another site by its name, so that the browser holds back the cookie at first.
      await page.goto(other.url.replace("127.0.0.1", "localhost"));
      await page.getByRole("link", { name: "Open" }).click();
      await page.getByRole("navigation").first().waitFor();
      expect(page.url()).not.toContain("token");
    } finally {
      await other.close();
      await context.close();
    }
  });

  test("without it there is a page that says what to do", async () => {
    const context = await studio.browser.newContext();
    const page = await context.newPage();
    const response = await page.goto(studio.server.address);
    expect(response?.status()).toBe(401);
    await page.getByText("Open the printed link again.").waitFor();
    await context.close();
  });
});

test("nothing on the page breaks its policy", async () => {
  await studio.page.reload();
  await studio.page.getByRole("navigation").first().waitFor();
  const broken = studio.complaints.filter((complaint) => /Content.Security.Policy|Refused to/i.test(complaint));
  expect(broken).toEqual([]);
});

test("inline scripts and foreign addresses are refused by the policy", async () => {
  const outcome = await studio.page.evaluate(`(async () => {
    const script = document.createElement("script");
    script.textContent = "globalThis.wasRun = true";
    document.head.append(script);
    const foreign = await fetch("http://127.0.0.1:1/").then(() => "reached", () => "refused");
    return { wasRun: "wasRun" in globalThis, foreign };
  })()`);
  expect(outcome).toEqual({ wasRun: false, foreign: "refused" });
  studio.complaints.length = 0;
});

test("a page of another program on this machine reaches nothing, though the browser holds the cookie", async () => {
  const { address } = studio.server;
  const other = await serve(
    "/",
    `<form method="post" enctype="text/plain" action="${address}/api/queue/pause"><button>Send</button></form>`,
  );
  try {
    const page = await studio.context.newPage();
    await page.goto(other.url);
    const reached = await page.evaluate(`(${attack})(${JSON.stringify(address)})`);
    expect(reached).toEqual({ read: [], shown: false, heard: false });
    await page.getByRole("button", { name: "Send" }).click();
    await page.waitForLoadState();
    expect((await studio.request("queue:state", {})).paused).toBe(false);
    await page.close();
  } finally {
    await other.close();
  }
});

/** What a page may try with the cookie of somebody who is logged in; tells what it could read. */
const attack = `async (target) => {
  const post = { method: "POST", credentials: "include" };
  const ways = {
    simple: () => fetch(target + "/api/queue/pause", { ...post, body: "{}", mode: "no-cors" }),
    json: () => fetch(target + "/api/queue/pause", { ...post, headers: { "content-type": "application/json" } }),
    read: () => fetch(target + "/api/openapi.json", { credentials: "include" }),
  };
  const read = [];
  for (const [name, way] of Object.entries(ways)) {
    const answer = await way().catch(() => null);
    if (answer && answer.type !== "opaque") read.push(name);
  }
  const outcome = (thing, good) =>
    new Promise((resolve) => {
      thing[good] = () => resolve(true);
      thing.onerror = () => resolve(false);
    });
  const picture = new Image();
  picture.src = target + "/media/poster/1";
  const events = new EventSource(target + "/api/events", { withCredentials: true });
  // Listened to together: what fails while the other is waited for would say so to nobody.
  const [shown, heard] = await Promise.all([outcome(picture, "onload"), outcome(events, "onopen")]);
  return { read, shown, heard };
}`;
