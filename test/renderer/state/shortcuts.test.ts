// Keys: what they match, when a text field keeps them, and who of several hears them.
import { afterEach, describe, expect, test, vi } from "vitest";
import { onShortcut, pressed, runShortcut, shortcuts } from "../../../renderer/state/shortcuts.ts";

const key = (init: KeyboardEventInit) => new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });

describe("keys", () => {
  test.each([
    [{ key: "Enter", ctrlKey: true }, "Ctrl+Enter", true],
    [{ key: "Enter", metaKey: true }, "Ctrl+Enter", true],
    [{ key: "Enter" }, "Ctrl+Enter", false],
    [{ key: "Enter", ctrlKey: true, shiftKey: true }, "Ctrl+Enter", false],
    [{ key: "?", shiftKey: true }, "Shift+?", true],
    [{ key: "f" }, "F", true],
    [{ key: "F", shiftKey: true }, "F", false],
    [{ key: " " }, "Space", true],
    [{ key: "¡", code: "Digit1", altKey: true }, "Alt+1", true],
  ])("%j is %s: %s", (init, keys, expected) => expect(pressed(key(init), keys)).toBe(expected));

  test("no two shortcuts of one place share their keys", () => {
    for (const { id, keys, group } of shortcuts) {
      const same = shortcuts.filter(
        (other) => other.keys === keys && (other.group === group || other.group === "everywhere"),
      );
      expect(same.map((other) => other.id)).toEqual([id]);
    }
  });
});

describe("who hears them", () => {
  const field = document.createElement("textarea");
  const button = document.createElement("button");
  document.body.append(field, button);
  addEventListener("keydown", runShortcut);
  const stops: (() => void)[] = [];
  afterEach(() => stops.splice(0).forEach((stop) => stop()));

  function heard(id: Parameters<typeof onShortcut>[0]) {
    const run = vi.fn();
    stops.push(onShortcut(id, run));
    return run;
  }

  test("a text field keeps letters and lets Ctrl+Enter through", () => {
    const [favourite, generate] = [heard("favourite"), heard("generate")];
    field.dispatchEvent(key({ key: "f" }));
    field.dispatchEvent(key({ key: "Enter", ctrlKey: true }));
    expect(favourite).not.toHaveBeenCalled();
    expect(generate).toHaveBeenCalledOnce();
    document.body.dispatchEvent(key({ key: "f" }));
    expect(favourite).toHaveBeenCalledOnce();
  });

  test("a button keeps its own space bar", () => {
    const play = heard("play");
    button.dispatchEvent(key({ key: " " }));
    expect(play).not.toHaveBeenCalled();
    document.body.dispatchEvent(key({ key: " " }));
    expect(play).toHaveBeenCalledOnce();
  });

  test("the latest one wins and gives the keys back when it leaves", () => {
    const first = heard("search");
    const second = vi.fn();
    const stop = onShortcut("search", second);
    document.body.dispatchEvent(key({ key: "/" }));
    stop();
    document.body.dispatchEvent(key({ key: "/" }));
    expect(second).toHaveBeenCalledOnce();
    expect(first).toHaveBeenCalledOnce();
  });

  test("behind a dialog nothing hears them, until it is closed", () => {
    const [generate, undo, next] = [heard("generate"), heard("undo"), heard("next-result")];
    const dialog = document.createElement("div");
    dialog.ariaModal = "true";
    const inside = document.createElement("textarea");
    dialog.append(inside);
    document.body.append(dialog);
    inside.dispatchEvent(key({ key: "Enter", ctrlKey: true }));
    dialog.dispatchEvent(key({ key: "z", ctrlKey: true }));
    document.body.dispatchEvent(key({ key: "ArrowRight" }));
    expect([generate, undo, next].flatMap(({ mock }) => mock.calls)).toEqual([]);
    dialog.remove();
    document.body.dispatchEvent(key({ key: "z", ctrlKey: true }));
    expect(undo).toHaveBeenCalledOnce();
  });

  test("while a character is being composed nothing is run", () => {
    const generate = heard("generate");
    field.dispatchEvent(key({ key: "Enter", ctrlKey: true, isComposing: true }));
    expect(generate).not.toHaveBeenCalled();
  });
});
