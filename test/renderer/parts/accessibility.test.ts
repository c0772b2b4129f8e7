// Every part in both themes: axe finds nothing, closed and open.
import { afterEach, describe, expect, test } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { axeFindings, settled } from "../accessibility.ts";
import PartsSheet from "./PartsSheet.svelte";

afterEach(async () => {
  await userEvent.keyboard("{Escape}");
});

describe.each(["dark", "light"])("%s", (theme) => {
  test("nothing is found on the sheet", async () => {
    document.documentElement.dataset.theme = theme;
    await render(PartsSheet);
    await settled();
    expect(await axeFindings()).toEqual([]);
    await page.screenshot({ path: `../../../.cache/screens/parts-${theme}.png` });
  });

  test.each([
    ["the list of choices", () => page.getByRole("combobox", { name: "Model" }).click(), "option"],
    ["the menu", () => page.getByRole("button", { name: "More", exact: true }).click(), "menuitem"],
    ["the context menu", () => page.getByText("Right-click me").click({ button: "right" }), "menuitem"],
    ["the popover", () => page.getByRole("button", { name: "Memory", exact: true }).click(), "dialog"],
  ] as const)("nothing is found with %s open", async (what, open, role) => {
    document.documentElement.dataset.theme = theme;
    await render(PartsSheet);
    await open();
    await expect.element(page.getByRole(role).first()).toBeVisible();
    await settled();
    expect(await axeFindings()).toEqual([]);
    await page.screenshot({ path: `../../../.cache/screens/${what.replaceAll(" ", "-")}-${theme}.png` });
  });
});
