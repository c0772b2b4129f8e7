// The address says where one is; what it does not understand is the Generate view.
import { afterEach, describe, expect, test } from "vitest";
import { addressOf, placeOf, route } from "../../../renderer/state/route.svelte.ts";

const stop = route.start();
afterEach(() => route.go("generate"));

describe("places", () => {
  test.each([
    ["", "generate", ""],
    ["#/", "generate", ""],
    ["#/nowhere/3", "generate", "3"],
    ["#/history/123", "history", "123"],
    ["#/history/a%20b", "history", "a b"],
    ["#/history/%E0%A4%A", "history", "%E0%A4%A"],
    ["#/compare?ids=1,2", "compare", ""],
  ])("%s", (hash, view, detail) => expect(placeOf(hash)).toMatchObject({ view, detail }));

  test("numbers of a query leave out what is none", () => {
    route.go("compare", "", { ids: "4,x,-1,9" });
    expect(route.numbers("ids")).toEqual([4, 9]);
    expect(location.hash).toBe(addressOf("compare", "", { ids: "4,x,-1,9" }));
  });

  test("a detail that is no number is none", () => {
    route.go("history", "12");
    expect(route.detailNumber).toBe(12);
    route.go("history", "12b");
    expect(route.detailNumber).toBeNull();
  });
});

test("back and forward are the browser's", async () => {
  route.go("queue");
  route.go("history", 7);
  history.back();
  await expect.poll(() => route.view).toBe("queue");
  history.forward();
  await expect.poll(() => route.detailNumber).toBe(7);
  stop();
});
