// A picture pasted into the Generate view, whichever mode is chosen: it begins an Image to Video, as a dropped one does.
import { page } from "vitest/browser";
import { beforeEach, expect, test } from "vitest";
import { render } from "vitest-browser-svelte";
import { form } from "../../../renderer/state/form.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { models } from "../../../renderer/state/models.svelte.ts";
import GenerateView from "../../../renderer/views/generate/GenerateView.svelte";
import { checkOf, ScriptedStudio } from "../scripted-studio.ts";

beforeEach(async () => {
  const studio = new ScriptedStudio({ "generate:check": ({ draft }) => checkOf(draft.values) });
  form.replace({}, null, null);
  const stop = studio.connect(jobs, models, form);
  await render(GenerateView);
  await expect.element(page.getByText("fits · about 1.2 s")).toBeVisible();
  return stop;
});

/** What Ctrl+V gives the element that has the focus. True where nobody took it. */
function paste(target: Element, file: File | null, words = ""): boolean {
  const clipboardData = new DataTransfer();
  if (file) clipboardData.items.add(file);
  if (words !== "") clipboardData.setData("text/plain", words);
  return target.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}

const picture = () => new File(["bytes"], "cat.png", { type: "image/png" });

test.each(["t2v", "i2v"] as const)("begins an Image to Video from %s", async (mode) => {
  form.set("mode", mode);
  expect(paste(document.body, picture())).toBe(false);
  await expect.poll(() => form.picture).toEqual({ path: "/pictures/cat.png" });
  expect(form.value("mode")).toBe("i2v");
  await expect.element(page.getByRole("region", { name: "First picture" })).toBeVisible();
});

test("words that are pasted into the prompt stay words, also where a picture of them comes along", async () => {
  const prompt = page.getByRole("textbox", { name: "Prompt" }).element();
  expect(paste(prompt, null, "a ball")).toBe(true);
  expect(paste(prompt, picture(), "a ball")).toBe(true);
  expect(form.picture).toBeNull();
  expect(paste(prompt, picture())).toBe(false);
  await expect.poll(() => form.picture).not.toBeNull();
});

test("what is no picture is left alone", () => {
  expect(paste(document.body, new File(["words"], "list.txt", { type: "text/plain" }))).toBe(true);
  expect(form.value("mode")).toBe("t2v");
});
