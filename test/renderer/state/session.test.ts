// The window's session beside another window's: each writes what it changed itself, and nothing that is only older here.
import { beforeEach, expect, test } from "vitest";
import { session } from "../../../renderer/state/session.svelte.ts";
import { ScriptedStudio } from "../scripted-studio.ts";

let studio: ScriptedStudio;

beforeEach(async () => {
  studio = new ScriptedStudio();
  studio.session = { values: { prompt: "as it was" }, presetId: "draft", views: { filters: ["done"], folded: false } };
  await session.load();
  return studio.connect();
});

const written = () => studio.requests("studio:keepSession").map((request) => request.session);

test("a folded section is written alone, so that another window's draft stays", async () => {
  studio.session = { ...studio.session, values: { prompt: "of the other window" }, presetId: null };
  session.keepView("folded", true);
  await expect.poll(written).toEqual([{ views: { folded: true } }]);
  expect(studio.session).toEqual({
    values: { prompt: "of the other window" },
    presetId: null,
    views: { filters: ["done"], folded: true },
  });
});

test("the form's values are written without what views keep; changes of one moment go together", async () => {
  session.keep({ values: { prompt: "a" }, presetId: null });
  session.keep({ values: { prompt: "a red ball" }, presetId: "quality" });
  session.keepView("folded", false);
  await expect
    .poll(written)
    .toEqual([{ values: { prompt: "a red ball" }, presetId: "quality", views: { folded: false } }]);
  session.write();
  expect(written()).toHaveLength(1);
});

test("what could not be written goes with the next change", async () => {
  const keep = studio.answers["studio:keepSession"]!;
  studio.answers["studio:keepSession"] = () => Promise.reject(new Error("gone"));
  session.keepView("folded", true);
  session.keepView("size", 1);
  await expect.poll(written).toHaveLength(1);
  studio.answers["studio:keepSession"] = keep;
  session.keepView("size", 2);
  await expect.poll(written).toHaveLength(2);
  expect(written()[1]).toEqual({ views: { folded: true, size: 2 } });
});
