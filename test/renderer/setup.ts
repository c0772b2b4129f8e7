// Before every renderer test: the window's own styles and theme, and no state left by the test before.
import "../../renderer/style/base.css";
import { beforeEach } from "vitest";
import { cleanup } from "vitest-browser-svelte";

beforeEach(() => {
  void cleanup();
  localStorage.clear();
  document.documentElement.dataset.theme = "dark";
  history.replaceState(null, "", location.pathname + location.search);
});
