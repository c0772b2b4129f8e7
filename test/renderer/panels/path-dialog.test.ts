// Choosing a path by the keyboard: wherever one goes, the focus is where one goes on.
import { expect, test, vi } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import PathDialog from "../../../renderer/panels/PathDialog.svelte";
import { ScriptedBridge } from "../views/scripted-bridge.ts";

const folder = (path: string) => ({ name: path.split("/").at(-1)!, path, isFolder: true, bytes: 0 });

test("Enter goes into a folder and stands at its first entry; where it is empty, at the path", async () => {
  new ScriptedBridge({
    "models:browse": ({ folder: asked }) =>
      asked === null
        ? { folder: null, parent: null, entries: [folder("/models"), folder("/home")] }
        : asked === "/models"
          ? { folder: asked, parent: null, entries: [folder("/models/wan"), folder("/models/other")] }
          : { folder: asked, parent: "/models", entries: [] },
  });
  await render(PathDialog, { open: true, what: "folder", onchoose: vi.fn(), onclose: vi.fn() });
  const entry = (name: string) => page.getByRole("button", { name, exact: true });
  await expect.element(entry("models")).toHaveFocus();
  await userEvent.keyboard("{Enter}");
  await expect.element(entry("wan")).toHaveFocus();
  await userEvent.keyboard("{Enter}");
  await expect.element(page.getByRole("textbox", { name: "Path" })).toHaveFocus();
  await page.getByRole("button", { name: "One folder up" }).click();
  await expect.element(entry("wan")).toHaveFocus();
});
