// Before every renderer test: the window's own styles and theme, and no state left by the test before.
import "../../renderer/style/base.css";
import { beforeEach } from "vitest";

beforeEach(() => {
  localStorage.clear();
  document.documentElement.dataset.theme = "dark";
  history.replaceState(null, "", location.pathname + location.search);
});

// Chromium's way of saying that a size changed twice in a frame, which lists that measure their rows do. Nothing is wrong.
addEventListener("error", (event) => {
  if (event.message.startsWith("ResizeObserver loop")) event.stopImmediatePropagation();
});
