// "About Rushes": what it says, and the notices behind its button.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { noticesPath, showAbout } from "../../../app/windows/about.ts";
import { menuTemplate } from "../../../app/windows/menu.ts";
import { nativeWords } from "../../../app/windows/native-words.ts";
import { electron, shell } from "./electron-stand-in.ts";

const words = nativeWords(["en"]);
let folder: string;
let notices: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-about-"));
  notices = join(folder, "THIRD-PARTY-NOTICES.txt");
  writeFileSync(notices, "Notices");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const list of [electron.calls, electron.messages, electron.errorBoxes, electron.messageAnswers]) list.length = 0;
});

test("the help menu ends with it, in both languages", () => {
  for (const [tag, label] of [
    ["en", "About Rushes"],
    ["zh", "关于 Rushes"],
  ] as const) {
    const about = vi.fn();
    const actions = { show: () => {}, openVideo: () => {}, openLibrary: () => {}, about };
    const help = menuTemplate(nativeWords([tag]), "linux", actions).find(({ role }) => role === "help");
    const item = (Array.isArray(help?.submenu) ? help.submenu : []).at(-1);
    expect(item).toMatchObject({ id: "about", label });
    item?.click?.({} as never, undefined, {} as never);
    expect(about).toHaveBeenCalledOnce();
  }
});

test("it says version and licence, and closing it opens nothing", async () => {
  await showAbout(words, null, notices);
  const [box] = electron.messages;
  expect(box).toMatchObject({
    title: "About Rushes",
    message: "Rushes 0.1.0",
    buttons: ["Close", "Third-Party Notices"],
  });
  expect(box?.detail).toContain("MIT");
  expect(electron.calls).toEqual([]);
});

test("its button opens the notices", async () => {
  electron.messageAnswers = [1];
  await showAbout(words, null, notices);
  expect(electron.calls).toEqual([`openPath ${notices}`]);
  expect(electron.errorBoxes).toEqual([]);
});

test("where nothing opens text, it says where the notices are", async () => {
  electron.messageAnswers = [1];
  const opening = vi.spyOn(shell, "openPath").mockResolvedValue("No application is registered");
  await showAbout(words, null, notices);
  opening.mockRestore();
  expect(electron.errorBoxes).toHaveLength(1);
  expect(electron.errorBoxes[0]).toContain(notices);
});

test("without notices there is no button for them", async () => {
  await showAbout(words, null, join(folder, "none.txt"));
  expect(electron.messages[0]?.buttons).toEqual(["Close"]);
});

test("a folder of sources has them where packing writes them", () => {
  electron.appPath = folder;
  expect(noticesPath()).toBe(join(folder, "out", "THIRD-PARTY-NOTICES.txt"));
});
