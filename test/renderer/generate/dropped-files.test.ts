// Files given to the window: what each kind leads to, and what is said of one that leads nowhere.
import { beforeEach, expect, test, vi } from "vitest";
import { dropKindOf, takeDroppedFile, usePath } from "../../../renderer/state/dropped-files.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { promptFile } from "../../../renderer/state/prompt-file.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import { ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;

beforeEach(() => {
  const settings = { prompt: "a blue square", model: "demo", mode: "t2v" as const, numSteps: 2, seed: 5 };
  studio = new ScriptedStudio({
    "studio:restoreVideo": () => ({ fileName: "ball.mp4", settings, jobId: null, notes: ["One setting is unknown."] }),
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

test("a picture begins an Image to Video, also when its path was opened with the program", async () => {
  await takeDroppedFile(new File(["bytes"], "cat.png", { type: "image/png" }));
  expect(form.picture).toEqual({ path: "/pictures/cat.png" });
  expect(form.value("mode")).toBe("i2v");
  await usePath("/elsewhere/dog.jpg");
  expect(form.picture).toEqual({ path: "/elsewhere/dog.jpg" });
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

test("what cannot be used is said, with what can", async () => {
  await takeDroppedFile(new File(["bytes"], "a.zip", { type: "application/zip" }));
  expect(toasts.all.at(-1)).toMatchObject({ tone: "bad", text: "This kind of file cannot be used here." });
});
