// The program that draws menus and dialogs around the page is told which language was chosen in it.
import { afterEach, expect, test } from "vitest";
import { nativeLanguage } from "../../../renderer/state/native-language.svelte.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import { ScriptedStudio } from "../scripted-studio.ts";

afterEach(() => text.choose("en"));

test("the desktop hears the choice at the start and whenever it changes", async () => {
  await text.choose("zh");
  const studio = new ScriptedStudio({ "studio:chooseLanguage": () => ({}) });
  const stop = studio.connect(nativeLanguage);
  const told = () => studio.requests("studio:chooseLanguage").map(({ language }) => language);
  await expect.poll(told).toEqual(["zh"]);
  await text.choose("system");
  await expect.poll(told).toEqual(["zh", "system"]);
  stop();
  await text.choose("zh");
  expect(told()).toEqual(["zh", "system"]);
});

test("a browser draws nothing of ours around the page, and is told nothing", async () => {
  const studio = new ScriptedStudio({ "studio:chooseLanguage": () => ({}) });
  const hello = studio.answers["studio:hello"]!;
  studio.answers["studio:hello"] = async (nothing) => ({ ...(await hello(nothing)), door: "browser" });
  const stop = studio.connect(nativeLanguage);
  await text.choose("zh");
  await expect.poll(() => studio.requests("studio:hello").length).toBe(1);
  await new Promise(requestAnimationFrame);
  expect(studio.requests("studio:chooseLanguage")).toEqual([]);
  stop();
});
