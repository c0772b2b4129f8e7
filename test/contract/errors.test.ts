// Every error has a code, a sentence and advice, and anything thrown becomes one.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { asRushesError, type ErrorCode, errorTexts, isErrorCode, RushesError } from "../../contract/errors.ts";

describe("the table of errors", () => {
  test.each(Object.entries(errorTexts))("%s reads well", (code, { text, advice }) => {
    expect(code).toMatch(/^[a-z]+\.[a-z_]+$/);
    expect(text).toMatch(/^[A-Z].*\.$/);
    if (advice !== "") expect(advice).toMatch(/^[A-Z].*\.$/s);
  });
  test("every code of the native side is in it", () => {
    const header = readFileSync(join(import.meta.dirname, "../../addon/src/runtime/status.h"), "utf8");
    const list = /Codes in use: ([^;]*?)\.\n\s*class/s.exec(header)?.[1]?.match(/[a-z]+\.[a-z_]+/g) ?? [];
    expect(list.length).toBeGreaterThan(5);
    for (const code of list) expect(isErrorCode(code), code).toBe(true);
  });
  test("names of Object's own are no codes", () => expect(isErrorCode("constructor")).toBe(false));
});

describe("whatever is thrown", () => {
  test("keeps its code, sentence, advice and byte counts", () => {
    const thrown = Object.assign(new Error("Not enough memory."), {
      code: "memory.exhausted",
      advice: "Use 96x96.",
      detail: "tensor 3",
      neededBytes: 12,
      freeBytes: 4,
    });
    expect(asRushesError(thrown).toJSON()).toEqual({
      code: "memory.exhausted",
      sentence: "Not enough memory.",
      advice: "Use 96x96.",
      detail: "tensor 3",
      neededBytes: 12,
      freeBytes: 4,
    });
  });
  test("survives being sent as JSON", () => {
    const error = new RushesError("disk.full", { sentence: "No room.", neededBytes: 5, freeBytes: 1 });
    expect(asRushesError(JSON.parse(JSON.stringify(error))).toJSON()).toEqual(error.toJSON());
  });
  test.each<[string, ErrorCode]>([
    ["ENOSPC", "disk.full"],
    ["EACCES", "file.unwritable"],
    ["SQLITE_BUSY", "history.busy"],
    ["EWHATEVER", "engine.internal"],
  ])("%s is %s", (code, expected) =>
    expect(asRushesError(Object.assign(new Error("x"), { code })).code).toBe(expected),
  );
  test.each([[undefined], ["text"], [42], [null], [{ code: "settings.invalid" }]])("%j becomes one", (thrown) => {
    const error = asRushesError(thrown);
    expect(error).toBeInstanceOf(RushesError);
    expect(error.message).not.toBe("");
  });
  test("an unknown failure hides its stack in the detail", () => {
    const error = asRushesError(new TypeError("x is not a function"));
    expect(error.message).toBe("Something went wrong inside Rushes.");
    expect(error.detail).toContain("x is not a function");
  });
});
