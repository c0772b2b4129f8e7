// The whole main flow with nothing but the keyboard: from an empty window to a video, its result, and back to its settings.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { StudioWindow } from "./studio-window.ts";

const sentence = "A red ball bounces on a blue background";
let studio: StudioWindow;
beforeAll(async () => {
  studio = await StudioWindow.open();
});
afterAll(() => studio?.close());
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

/** What has the focus: its role or element, and its name. */
async function focused(): Promise<{ what: string; name: string; seen: boolean }> {
  return (await studio.page.evaluate(`(() => {
    const element = document.activeElement;
    // A field's frame around it may show the focus in its stead.
    const around = [element, element.parentElement, element.parentElement?.parentElement].filter(Boolean);
    const marked = around.map((each) => getComputedStyle(each)).some(
      ({ outlineStyle, boxShadow }) => outlineStyle !== "none" || boxShadow !== "none");
    const { width, height } = element.getBoundingClientRect();
    const label = document.querySelector('label[for="' + element.id + '"]');
    return {
      what: element.getAttribute("role") ?? element.tagName.toLowerCase(),
      name: (element.getAttribute("aria-label") ?? label?.textContent ?? element.textContent ?? "").trim(),
      seen: marked && width > 0 && height > 0,
    };
  })()`)) as { what: string; name: string; seen: boolean };
}

/** Presses Tab until what is wanted has the focus; everything on the way must show that it has it. */
async function tabTo(name: RegExp, most = 60): Promise<void> {
  for (let press = 0; press < most; press++) {
    await studio.page.keyboard.press("Tab");
    const now = await focused();
    if (now.what === "body" || now.what === "html") continue;
    expect(now, `the focus after Tab ${press + 1}`).toMatchObject({ seen: true });
    if (name.test(now.name)) return;
  }
  throw new Error(`Tab does not lead to ${String(name)}`);
}

test("a sentence becomes a video, is opened, and its settings are used again", async () => {
  const { page } = studio;
  const { keyboard } = page;
  await page.reload();
  await studio.prompt.waitFor();
  await tabTo(/^Skip to the main area/, 1);
  await keyboard.press("Enter");
  await tabTo(/^Prompt$/);
  await keyboard.type(sentence);
  // Which fields there are depends on the model, which a studio that has just started looks for first.
  await page.getByRole("region", { name: "Plan" }).getByText("fits").waitFor();
  await tabTo(/^Advanced Settings/);
  await keyboard.press("Enter");
  await tabTo(/^Sigma Max$/);
  await keyboard.press("Home");
  await page.getByRole("region", { name: "Plan" }).getByText("fits").waitFor();
  await keyboard.press("Control+Enter");
  await studio.until(async () => (await studio.request("history:find", { filter: {} })).ids.length === 1, "the job");
  await studio.server.finished(1);
  await studio.shown(1);

  // The history by its key, the result by Enter.
  await keyboard.press("Alt+3");
  const card = page.getByRole("link", { name: /^Result 1:/ });
  await card.waitFor();
  await tabTo(/^Result 1:/);
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "Result 1" }).waitFor();
  await tabTo(/^Use all$/);
  await keyboard.press("Enter");
  await page.getByText("The settings of result 1 were taken over").waitFor();
  expect(await studio.prompt.inputValue()).toBe(sentence);

  // Once more, without touching anything else.
  await tabTo(/^(Generate|Add to queue)/, 80);
  await keyboard.press("Enter");
  await studio.until(async () => (await studio.request("history:find", { filter: {} })).ids.length === 2, "the job");
  const [first, second] = [await studio.server.finished(1), await studio.server.finished(2)];
  expect(second.seed).toBe(first.seed);
});

test("the list of keys opens by its own key and closes by Escape, and the focus comes back", async () => {
  const { page } = studio;
  await page.keyboard.press("Alt+3");
  await page.getByRole("link", { name: /^Result 2:/ }).waitFor();
  await tabTo(/^Result 2:/);
  await page.keyboard.press("Shift+?");
  const dialog = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  // The rest of its name tells how far it is, which may have changed.
  await studio.until(async () => /^Result 2:/.test((await focused()).name), "the focus to come back");
});
