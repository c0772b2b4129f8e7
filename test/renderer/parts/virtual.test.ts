// 50,000 results: only those in sight exist, and the view hears which these are.
import { expect, test, vi } from "vitest";
import { page } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import ManyRows from "./ManyRows.svelte";

test("few cells exist, wherever one scrolls", async () => {
  const onrange = vi.fn();
  const screen = await render(ManyRows, { onrange });
  await expect.element(page.getByRole("button", { name: "Result 0" })).toBeVisible();
  await expect.poll(() => onrange.mock.lastCall?.[0]).toBe(0);
  const atFirst = page.getByRole("button").elements().length;
  expect(atFirst).toBeLessThan(150);
  for (const index of [30_000, 49_999, 12_345]) {
    screen.component.reveal(index);
    await expect.element(page.getByRole("button", { name: `Result ${index}` })).toBeVisible();
    await expect.poll(() => onrange.mock.lastCall?.[0]).toBeLessThanOrEqual(index);
    await expect.poll(() => onrange.mock.lastCall?.[1]).toBeGreaterThanOrEqual(index);
    expect(page.getByRole("button").elements().length).toBeLessThan(200);
  }
});
