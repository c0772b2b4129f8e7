// Messages that come and go.
import { afterEach, expect, test } from "vitest";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";

const shown = () => toasts.all.map(({ text }) => text);
afterEach(() => {
  for (const { id } of toasts.all) toasts.dismiss(id);
});

test("the same message stands once, as the latest; one with something to undo stays its own", () => {
  toasts.show("This is no picture.", { tone: "bad" });
  toasts.show("Saved");
  toasts.show("This is no picture.", { tone: "bad" });
  expect(shown()).toEqual(["Saved", "This is no picture."]);
  toasts.undoable("Deleted", () => {});
  toasts.undoable("Deleted", () => {});
  expect(shown()).toEqual(["Saved", "This is no picture.", "Deleted", "Deleted"]);
});

test("no more than four stand at once", () => {
  for (const words of ["one", "two", "three", "four", "five"]) toasts.show(words);
  expect(shown()).toEqual(["two", "three", "four", "five"]);
});
