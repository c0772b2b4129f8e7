// The desktop window's page over the desktop window's bridge, with the real engine, in Chromium.
import { afterAll, beforeAll, expect, test } from "vitest";
import { BridgedWindow } from "./bridged-window.ts";
import { promptOf, request, until, windowFlows } from "./window-flows.ts";

let window: BridgedWindow;
beforeAll(async () => void (window = await BridgedWindow.open()));
afterAll(() => window?.close());

windowFlows(() => window);

test("an export runs in the engine's process: bytes cross to it and back", async () => {
  const { page } = window;
  const { ids } = await request(page, "history:find", { filter: { states: ["done"] } });
  const { export: started } = await request(page, "exports:start", { jobId: ids[0]!, format: "gif" });
  await until(async () => {
    const { exports } = await request(page, "exports:list", {});
    const found = exports.find(({ id }) => id === started.id);
    expect(found?.error).toBeNull();
    return found?.state === "done";
  }, "the export");
  const head = await page.evaluate(`fetch("/media/export/${started.id}").then(async (answer) => ({
    name: answer.headers.get("content-disposition"),
    head: (await answer.text()).slice(0, 6),
  }))`);
  expect(head).toEqual({ name: expect.stringContaining(".gif") as string, head: "GIF89a" });
});

test("the native menu's places are shown", async () => {
  const { page, studio } = window;
  await page
    .getByRole("link", { name: /^Generate/ })
    .first()
    .click();
  await promptOf(page).fill("Something that is thrown away");
  const show = (path: string) => studio.announce({ kind: "window:opened", path });
  for (const place of ["#/queue", "#/history", "#/models", "#/settings"]) {
    show(place);
    await page.waitForURL((url) => url.hash === place);
  }
  show("#new");
  await page.waitForURL((url) => url.hash === "#/generate");
  await until(async () => (await promptOf(page).inputValue()) === "", "an empty form");
  show("#shortcuts");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
});

test("the frame around the page can follow its theme", async () => {
  const { page } = window;
  const ground = () => page.evaluate(`document.querySelector('meta[name="theme-color"]').content`);
  const before = await ground();
  expect(before).toMatch(/^rgb/);
  await page.evaluate(`localStorage.setItem("rushes.theme", "light")`);
  await page.reload();
  await page.getByRole("navigation").first().waitFor();
  expect(await ground()).not.toBe(before);
});
