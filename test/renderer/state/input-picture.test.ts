// The picture of an Image to Video where its bytes are sent: whichever arrives first, the one that was given last stays.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { takeDroppedFile } from "../../../renderer/state/dropped-files.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { inputPicture } from "../../../renderer/state/input-picture.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import { ScriptedStudio } from "../scripted-studio.ts";

/** Uploads under way, by the file's name: each ends when a test says so. */
let uploads: Map<string, (answer: Response) => void>;

beforeEach(() => {
  const stop = new ScriptedStudio().connect(form);
  // As in a browser, which tells no paths.
  Object.assign(window.rushes!, { pathOf: () => "" });
  uploads = new Map();
  vi.stubGlobal("fetch", (_address: string, { body }: { body: File }) => {
    return new Promise<Response>((resolve) => uploads.set(body.name, resolve));
  });
  form.replace({}, null, null);
  for (const { id } of toasts.all) toasts.dismiss(id);
  return stop;
});
afterEach(() => vi.unstubAllGlobals());

const file = (name: string) => new File(["bytes"], name, { type: "image/png" });
const arrived = (name: string) => uploads.get(name)!(Response.json({ uploadId: name }));

test("two at once: the newer one stays when the older one arrives last, wherever each was dropped", async () => {
  const inWell = (name: string) => inputPicture.use(file(name));
  const onWindow = (name: string) => takeDroppedFile(file(name));
  for (const [dropFirst, dropSecond] of [
    [inWell, onWindow],
    [onWindow, inWell],
  ] as const) {
    const [first, second] = [dropFirst("large"), dropSecond("small")];
    arrived("small");
    await second;
    expect(form.picture).toEqual({ uploadId: "small" });
    const shown = inputPicture.url;
    arrived("large");
    await first;
    expect([form.picture, inputPicture.url]).toEqual([{ uploadId: "small" }, shown]);
    form.setPicture(null);
  }
});

test("two at once: the newer one stays when it arrives last, and until then it is awaited", async () => {
  const [first, second] = [inputPicture.use(file("one")), inputPicture.use(file("two"))];
  arrived("one");
  await first;
  expect(inputPicture.busy).toBe(true);
  arrived("two");
  await second;
  expect([form.picture, inputPicture.busy]).toEqual([{ uploadId: "two" }, false]);
});

test("one that arrives late does not come back after another was chosen or the picture was taken away", async () => {
  const laterChoices = [
    () => inputPicture.remove(),
    () => inputPicture.usePath("/pictures/dog.png"),
    () => form.replace({ prompt: "of another job" }, null, { path: "/videos/Rushes/inputs/bird.png" }),
  ];
  for (const choose of laterChoices) {
    form.setPicture({ path: "/pictures/cat.png" });
    const sent = inputPicture.use(file("late"));
    choose();
    const chosen = form.picture;
    arrived("late");
    await sent;
    expect(form.picture).toBe(chosen);
    expect(inputPicture.busy).toBe(false);
  }
});

test("one that is refused is said, and the picture before it stays", async () => {
  form.setPicture({ path: "/pictures/cat.png" });
  route.go("history");
  const sent = takeDroppedFile(file("words"));
  const error = { code: "request.invalid", sentence: "This is no picture.", advice: "", detail: "" };
  uploads.get("words")!(Response.json({ error }, { status: 400 }));
  await sent;
  expect(form.picture).toEqual({ path: "/pictures/cat.png" });
  expect(toasts.all.at(-1)).toMatchObject({ tone: "bad", text: "This is no picture." });
  expect([route.view, inputPicture.busy]).toEqual(["history", false]);
});
