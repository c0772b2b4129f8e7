// The form's memory: what the user set, undo, the session kept and found again, and answers that come too late.
import { afterEach, describe, expect, test } from "vitest";
import type { DraftCheck } from "../../../contract/channels/generate.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { session } from "../../../renderer/state/session.svelte.ts";
import { checkOf, ScriptedStudio } from "../scripted-studio.ts";

let disconnect: (() => void) | undefined;
afterEach(() => {
  form.replace({}, null, null);
  disconnect?.();
});

async function connected(studio = new ScriptedStudio()): Promise<ScriptedStudio> {
  disconnect = studio.connect(form);
  await expect.poll(() => form.check).not.toBeNull();
  return studio;
}

test("what is not set is inherited, and a reset goes back to it", async () => {
  await connected();
  expect(form.value("numFrames")).toBe(17);
  form.set("numFrames", 21);
  expect(form.isSet("numFrames")).toBe(true);
  expect(form.value("numFrames")).toBe(21);
  form.reset("numFrames");
  expect(form.draft.values).not.toHaveProperty("numFrames");
  expect(form.value("numFrames")).toBe(17);
});

test("a null that was set is a value, not an absence", async () => {
  await connected();
  form.set("seed", 5);
  form.set("seed", null);
  expect(form.draft.values).toHaveProperty("seed", null);
});

describe("undo", () => {
  test("takes back one change at a time, typing as one", async () => {
    await connected();
    form.set("prompt", "a");
    form.set("prompt", "ab");
    form.set("prompt", "abc");
    form.set("numSteps", 2);
    form.undo();
    expect(form.values).toEqual({ prompt: "abc" });
    form.undo();
    expect(form.values).toEqual({});
  });

  test("takes back a whole preset", async () => {
    await connected();
    form.set("prompt", "a red ball");
    form.merge({ numSteps: 2, numFrames: 49 }, "draft");
    expect(form.presetId).toBe("draft");
    form.undo();
    expect(form.values).toEqual({ prompt: "a red ball" });
    expect(form.presetId).toBeNull();
  });
});

test("a size chosen as one overrules width and height set apart", async () => {
  await connected();
  form.set("width", 640);
  form.setSize("480p", "1:1");
  expect(form.values).toEqual({ resolution: "480p", aspectRatio: "1:1" });
});

test("an answer to older values is dropped", async () => {
  const waiting: ((check: DraftCheck) => void)[] = [];
  let slow = false;
  const studio = await connected(
    new ScriptedStudio({
      "generate:check": ({ draft }) => (slow ? new Promise((resolve) => waiting.push(resolve)) : checkOf(draft.values)),
    }),
  );
  slow = true;
  form.set("numSteps", 1);
  await expect.poll(() => waiting.length).toBe(1);
  form.set("numSteps", 2);
  await expect.poll(() => waiting.length).toBe(2);
  waiting[1]!(checkOf({ numSteps: 2 }));
  await expect.poll(() => form.check?.settings.numSteps).toBe(2);
  waiting[0]!(checkOf({ numSteps: 1 }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(form.check?.settings.numSteps).toBe(2);
  expect(studio.requests("generate:check").at(-1)).toEqual({ draft: { values: { numSteps: 2 } } });
});

test("what was set is kept in the studio after a moment", async () => {
  const studio = await connected();
  form.set("prompt", "a lighthouse in fog");
  session.keepView("advancedOpen", true);
  await expect.poll(() => studio.session.values.prompt).toBe("a lighthouse in fog");
  await expect.poll(() => studio.session.views).toHaveProperty("advancedOpen", true);
  expect(session.view("advancedOpen", false)).toBe(true);
  expect(session.view("advancedOpen", "text")).toBe("text");
});

test("what became different is said although another question overtook the one of the change", async () => {
  const waiting: (() => void)[] = [];
  let slow = false;
  const studio = await connected(
    new ScriptedStudio({
      "generate:check": ({ draft }) =>
        slow
          ? new Promise<DraftCheck>((resolve) => waiting.push(() => resolve(checkOf(draft.values))))
          : checkOf(draft.values),
    }),
  );
  slow = true;
  const applied = form.apply({ kind: "preset", name: "Draft" }, { values: { numSteps: 2 } });
  await expect.poll(() => waiting.length).toBe(1);
  studio.say({ kind: "presets:changed" });
  await expect.poll(() => waiting.length).toBe(2);
  waiting[0]?.();
  await new Promise((resolve) => setTimeout(resolve, 50));
  waiting[1]?.();
  expect((await applied).changes.map(({ id }) => id)).toEqual(["numSteps"]);
});
