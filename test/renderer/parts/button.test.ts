// Buttons: names, switched-off and busy states, and what a screen reader hears of the keys.
import { expect, test, vi } from "vitest";
import { render } from "vitest-browser-svelte";
import Button from "../../../renderer/parts/Button.svelte";

test("says its label and its keys, and calls back", async () => {
  const onclick = vi.fn();
  const screen = await render(Button, { label: "Generate", keys: "Ctrl+Enter", onclick });
  const button = screen.getByRole("button", { name: "Generate" });
  await expect.element(button).toHaveAttribute("aria-keyshortcuts", "Control+Enter");
  await button.click();
  expect(onclick).toHaveBeenCalledOnce();
});

test("a busy button takes no second press", async () => {
  const onclick = vi.fn();
  const screen = await render(Button, { label: "Unload", busy: true, onclick });
  await screen.getByRole("button").click();
  expect(onclick).not.toHaveBeenCalled();
  await expect.element(screen.getByRole("button")).toHaveAttribute("aria-busy", "true");
});
