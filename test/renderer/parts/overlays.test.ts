// Dialogs keep the focus and give it back; questions do nothing until they are answered.
import { describe, expect, test, vi } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { axeFindings, settled } from "../accessibility.ts";
import Overlays from "./Overlays.svelte";

const onconfirm = vi.fn();

describe.each(["dark", "light"])("%s", (theme) => {
  test.each(["Open", "Ask"])("nothing is found with the dialog of %s", async (name) => {
    document.documentElement.dataset.theme = theme;
    await render(Overlays, { onconfirm });
    await page.getByRole("button", { name }).click();
    await settled();
    expect(await axeFindings()).toEqual([]);
    await userEvent.keyboard("{Escape}");
  });
});

test("the focus goes round inside and comes back to the button", async () => {
  await render(Overlays, { onconfirm });
  const open = page.getByRole("button", { name: "Open" });
  (open.element() as HTMLElement).focus();
  await userEvent.keyboard("{Enter}");
  const dialog = page.getByRole("dialog", { name: "Expand prompts" });
  await expect.element(dialog).toBeVisible();
  for (let presses = 0; presses < 5; presses++) {
    await userEvent.tab();
    expect(dialog.element().contains(document.activeElement)).toBe(true);
  }
  await userEvent.keyboard("{Escape}");
  await expect.poll(() => dialog.query()).toBeNull();
  await expect.element(open).toHaveFocus();
});

test("a question does nothing on Escape and once on its verb", async () => {
  onconfirm.mockClear();
  await render(Overlays, { onconfirm });
  const ask = page.getByRole("button", { name: "Ask" });
  const question = page.getByRole("alertdialog", { name: "Remove for good?" });
  await ask.click();
  await expect.element(question).toBeVisible();
  await userEvent.keyboard("{Escape}");
  await expect.poll(() => question.query()).toBeNull();
  expect(onconfirm).not.toHaveBeenCalled();
  await ask.click();
  await page.getByRole("button", { name: "Remove" }).click();
  await expect.poll(() => question.query()).toBeNull();
  expect(onconfirm).toHaveBeenCalledOnce();
});
