// A view that is opened while nobody answers: it says that it waits, and opens by itself once the connection is back.
import { afterAll, beforeAll, expect, test } from "vitest";
import { StudioWindow } from "./studio-window.ts";

let studio: StudioWindow;
beforeAll(async () => void (studio = await StudioWindow.open()));
afterAll(() => studio?.close());

test("a view opened while the connection is lost opens when it is back", async () => {
  const { page } = studio;
  await studio.prompt.waitFor();
  await studio.server.stop("SIGKILL");
  await page.getByText("The connection to Rushes was lost.").first().waitFor();
  await studio.go("Models");
  await page.getByText("It opens when the connection is back.").waitFor();
  expect(await studio.button("Reload").count()).toBe(0);
  await studio.restart();
  await page.getByRole("heading", { name: "Models on this machine" }).waitFor();
});
