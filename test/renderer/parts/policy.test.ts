// The security policy of the built page forbids inline style attributes written as text. Every part, closed and open, is
// drawn under that rule; what vite itself brings in while testing (inline style elements) stays allowed.
import { afterEach, beforeAll, expect, test } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import PartsSheet from "./PartsSheet.svelte";

const violations: string[] = [];

beforeAll(() => {
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, sample, sourceFile, lineNumber }) =>
    violations.push(`${violatedDirective}: ${sample || sourceFile} ${lineNumber}`),
  );
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "style-src-attr 'none'; script-src-attr 'none'; object-src 'none'";
  document.head.append(policy);
});

afterEach(async () => {
  await userEvent.keyboard("{Escape}");
});

test("the rule is in force here", async () => {
  const probe = document.createElement("div");
  probe.innerHTML = '<p style="color: red">text</p>';
  document.body.append(probe);
  await expect.poll(() => violations.length).toBeGreaterThan(0);
  expect(getComputedStyle(probe.firstElementChild!).color).not.toBe("rgb(255, 0, 0)");
  probe.remove();
  violations.length = 0;
});

test("no part breaks it", async () => {
  await render(PartsSheet);
  await page.getByRole("combobox", { name: "Model" }).click();
  await page.getByRole("option", { name: /^Demo/ }).click();
  await expect.element(page.getByRole("combobox", { name: "Model" })).toHaveTextContent("Demo 12 MB");
  for (const [name, role] of [
    ["More", "menuitem"],
    ["Memory", "dialog"],
  ] as const) {
    await page.getByRole("button", { name, exact: true }).click();
    await expect.element(page.getByRole(role).first()).toBeVisible();
    await userEvent.keyboard("{Escape}");
  }
  await page.getByRole("button", { name: "Draw a seed" }).hover();
  await expect.element(page.getByText("Draw a seed")).toBeVisible();
  // The virtual list puts its rows in place by styles.
  await expect.element(page.getByText("Row 3", { exact: true })).toBeVisible();
  expect(violations).toEqual([]);
});
