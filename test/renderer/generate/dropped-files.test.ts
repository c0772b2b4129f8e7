// Files given to the window: what each kind leads to, and what is said of one that leads nowhere.
import { page } from "vitest/browser";
import { beforeEach, expect, test, vi } from "vitest";
import { render } from "vitest-browser-svelte";
import type { InspectionReport } from "../../../contract/channels/models.ts";
import type { RestoredVideo } from "../../../contract/channels/studio.ts";
import { defaultSettings } from "../../../contract/settings/derive.ts";
import { dropKindOf, takeDroppedFile, usePath } from "../../../renderer/state/dropped-files.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { promptFile } from "../../../renderer/state/prompt-file.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import ChangesNote from "../../../renderer/views/generate/ChangesNote.svelte";
import { checkOf, detailOf, ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;
let restored: RestoredVideo;

beforeEach(() => {
  const settings = { prompt: "a blue square", model: "demo", mode: "t2v" as const, numSteps: 2, seed: 5 };
  restored = { fileName: "ball.mp4", settings, jobId: null, notes: ["One setting is unknown."] };
  studio = new ScriptedStudio({
    "studio:restoreVideo": () => restored,
    "presets:import": ({ fileName }) => ({
      preset: {
        id: "mine",
        name: fileName.replace(".json", ""),
        builtIn: false,
        settings: { numSteps: 2 },
        fits: false,
        isDefault: false,
        unavailable: null,
        broken: false,
      },
      notes: [],
    }),
  });
  form.replace({}, null, null);
  for (const { id } of toasts.all) toasts.dismiss(id);
  return studio.connect(form);
});

test.each([
  ["", "clip.MP4", "video"],
  ["video/webm", "", "video"],
  ["image/png", "", "picture"],
  ["", "photo.jpeg", "picture"],
  ["text/plain", "config.yaml", "preset"],
  ["application/json", "", "preset"],
  ["", "list.csv", "prompts"],
  ["", "night.safetensors", "checkpoint"],
  ["application/zip", "a.zip", "unknown"],
  ["", "", null],
])("%s %s is a %s", (type, name, kind) => {
  expect(dropKindOf(type, name)).toBe(kind);
});

test("a video gives its settings, says what changed and what could not be read, and undo takes it back", async () => {
  await takeDroppedFile(new File(["bytes"], "ball.mp4", { type: "video/mp4" }));
  expect(form.values).toMatchObject({ prompt: "a blue square", numSteps: 2, seed: 5 });
  expect(form.applied).toMatchObject({
    origin: { kind: "video", fileName: "ball.mp4" },
    notes: ["One setting is unknown."],
  });
  form.undo();
  expect(form.values).toEqual({});
});

/** Of a video that began with a picture of 2:1, so that its size is not the chosen one. */
const ofPicture = {
  ...defaultSettings("i2v"),
  prompt: "The dog yawns",
  model: "demo",
  resolution: "128x128",
  adaptiveResolution: true,
  width: 176,
  height: 96,
  seed: 5,
};
const video = () => new File(["bytes"], "dog.mp4", { type: "video/mp4" });

test("a video of this library that began with a picture brings that picture and its size", async () => {
  const inputImage = "/videos/Rushes/inputs/dog.png";
  studio.details = [detailOf(7, { mode: "i2v", inputImage })];
  const following = { frameSize: { width: 176, height: 96 } };
  studio.answers["generate:check"] = ({ draft }) => checkOf(draft.values, draft.image ? following : {});
  restored = { fileName: "dog.mp4", settings: ofPicture, jobId: 7, notes: [] };
  form.setPicture({ path: "/pictures/cat.png" });
  await takeDroppedFile(video());
  expect(form.draft).toMatchObject({ values: { prompt: "The dog yawns", mode: "i2v" }, image: { path: inputImage } });
  expect(form.value("adaptiveResolution")).toBe(true);
  expect(form.value("resolution")).toBe("128x128");
  expect(form.applied).toMatchObject({ pictureMissing: false });

  // Another shape would come of the picture here: the size is said in pixels.
  following.frameSize = { width: 192, height: 80 };
  await takeDroppedFile(video());
  expect(form.values).toMatchObject({ resolution: "176x96", adaptiveResolution: false });
  form.undo();
  form.undo();
  expect(form.picture).toEqual({ path: "/pictures/cat.png" });
});

test("a video from elsewhere that began with a picture leaves no other one in the form, keeps its size and says so", async () => {
  restored = { fileName: "dog.mp4", settings: ofPicture, jobId: null, notes: [] };
  form.setPicture({ path: "/pictures/cat.png" });
  await takeDroppedFile(video());
  expect(form.picture).toBeNull();
  expect(form.values).toMatchObject({ mode: "i2v", resolution: "176x96", adaptiveResolution: false });
  await render(ChangesNote);
  await expect.element(page.getByText(/The picture it began with is not here/)).toBeVisible();
  await text.choose("zh");
  await expect.element(page.getByText(/原来的首帧图片不在这里/)).toBeVisible();
  await text.choose("en");

  restored = { ...restored, settings: { prompt: "a ball", mode: "t2v", seed: 5 } };
  await takeDroppedFile(video());
  expect(form.applied).toMatchObject({ pictureMissing: false });
});

test("a picture begins an Image to Video, also when its path was opened with the program", async () => {
  await takeDroppedFile(new File(["bytes"], "cat.png", { type: "image/png" }));
  expect(form.picture).toEqual({ path: "/pictures/cat.png" });
  expect(form.value("mode")).toBe("i2v");
  await usePath("/elsewhere/dog.jpg");
  expect(form.picture).toEqual({ path: "/elsewhere/dog.jpg" });
});

test("on the form already, a dropped file goes into what is edited there", async () => {
  route.go("generate", "", { edit: "12" });
  await takeDroppedFile(new File(["bytes"], "cat.png", { type: "image/png" }));
  await usePath("/elsewhere/dog.jpg");
  await takeDroppedFile(new File(["bytes"], "ball.mp4", { type: "video/mp4" }));
  studio.answers["models:inspect"] = () => ({ report: { family: "lora", refused: "" } as InspectionReport });
  await usePath("/elsewhere/night.safetensors");
  expect([route.view, route.query.get("edit")]).toEqual(["generate", "12"]);
  route.go("queue");
  await usePath("/elsewhere/dog.jpg");
  expect([route.view, route.query.get("edit")]).toEqual(["generate", null]);
});

test("a preset is added and offered; a list of prompts goes to the dialog that looks at it", async () => {
  await takeDroppedFile(new File(["{}"], "Mine.json", { type: "application/json" }));
  await vi.waitFor(() => expect(toasts.all.at(-1)).toMatchObject({ text: "Preset “Mine” was added" }), {
    timeout: 30_000,
  });
  await takeDroppedFile(new File(["a ball\na square"], "list.txt", { type: "text/plain" }));
  expect(route.view).toBe("queue");
  expect(promptFile.take()).toEqual({ fileName: "list.txt", content: "a ball\na square" });
});

test("a LoRA joins the form's once, any other checkpoint the models", async () => {
  const report = (family: string) => ({ report: { family, refused: "" } as InspectionReport });
  studio.answers["models:inspect"] = ({ path }) => report(path.includes("night") ? "lora" : "wan-dit");
  studio.answers["models:add"] = () => ({ models: [], notes: [] });
  for (let times = 0; times < 2; times++) {
    await takeDroppedFile(new File(["bytes"], "night.safetensors"));
    expect(form.value("loras")).toEqual([{ file: "/pictures/night.safetensors", strength: 1, expert: "both" }]);
    expect(route.view).toBe("generate");
  }
  expect(toasts.all.at(-1)?.text).toContain("night.safetensors");
  expect(studio.requests("models:add")).toEqual([]);
  await takeDroppedFile(new File(["bytes"], "wan.pth"));
  expect(studio.requests("models:add")).toEqual([{ path: "/pictures/wan.pth" }]);
  expect(route.view).toBe("models");
});

test("what cannot be used is said, with what can", async () => {
  await takeDroppedFile(new File(["bytes"], "a.zip", { type: "application/zip" }));
  expect(toasts.all.at(-1)).toMatchObject({ tone: "bad", text: "This kind of file cannot be used here." });
});
