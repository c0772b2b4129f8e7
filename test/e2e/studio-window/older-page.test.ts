// A page that was opened before Rushes was updated: the files it asks for are gone, and it says what to do.
import { afterAll, beforeAll, expect, test } from "vitest";
import { StudioWindow } from "./studio-window.ts";

let studio: StudioWindow;
beforeAll(async () => void (studio = await StudioWindow.open()));
afterAll(() => studio?.close());

test("a view whose files are gone offers to load the page again, and what was typed is kept", async () => {
  const { page } = studio;
  await studio.prompt.fill("A yellow kite in the wind");
  const kept = async () => (await studio.request("studio:session", {})).values;
  await studio.until(async () => (await kept()).prompt === "A yellow kite in the wind", "the session to be kept");
  await page.route(/\/assets\/ModelsView-/, (asked) => asked.fulfill({ status: 404 }));
  await studio.go("Models");
  await page.getByText("This view could not be opened.").waitFor();
  await page.unroute(/\/assets\/ModelsView-/);
  await studio.button("Reload").click();
  await page.getByRole("heading", { name: "Models on this machine" }).waitFor();
  await studio.go("Generate");
  expect(await studio.prompt.inputValue()).toBe("A yellow kite in the wind");
});
