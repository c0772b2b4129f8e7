// The TypeScript suites. `unit` needs no generated video; `renderer` mounts parts of the window in the system's Chromium;
// `follow` and `e2e` run the built program (out/, build/Release).
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { chromiumLaunch } from "./test/chromium-launch.ts";
import { clipServer } from "./test/renderer/clip-server.ts";

const elsewhere = [
  "test/electron/**/*.test.ts",
  "test/follow/**/*.test.ts",
  "test/e2e/**/*.test.ts",
  "test/renderer/**/*.test.ts",
];

/** Electron's binary is on few machines that test: what it gives is played by a stand-in. */
const standIn = { alias: { electron: join(import.meta.dirname, "test/app/windows/electron-stand-in.ts") } };

export default defineConfig({
  test: {
    environment: "node",
    // For a machine of two slow cores that does much else.
    testTimeout: 180_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000 } },
    // A failure on another machine is only as good as what it prints.
    chaiConfig: { truncateThreshold: 2000 },
    // Servers, engines and browsers are processes of their own: more files at once would only wait for each other.
    maxWorkers: Math.max(1, Math.min(2, availableParallelism() - 1)),
    projects: [
      {
        extends: true,
        resolve: standIn,
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: elsewhere },
      },
      {
        extends: true,
        plugins: [svelte({ configFile: join(import.meta.dirname, "svelte.config.js") }), clipServer()],
        // A dependency found while a test already runs would reload the page under it: large ones are named, the icons are
        // served one by one.
        optimizeDeps: {
          include: ["bits-ui", "virtua/svelte", "svelte-dnd-action", "axe-core", "svelte/reactivity"],
          exclude: ["@lucide/svelte"],
        },
        test: {
          name: "renderer",
          include: ["test/renderer/**/*.test.ts"],
          setupFiles: ["test/renderer/setup.ts"],
          // Without it, a failure prints the whole page.
          env: { DEBUG_PRINT_LIMIT: "0" },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            viewport: { width: 1280, height: 800 },
            provider: playwright({ launchOptions: chromiumLaunch() }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
      {
        extends: true,
        test: { name: "follow", include: ["test/follow/**/*.test.ts"], testTimeout: 900_000, hookTimeout: 900_000 },
      },
      {
        extends: true,
        resolve: standIn,
        test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 1_500_000, hookTimeout: 900_000 },
      },
      {
        extends: true,
        test: {
          name: "electron",
          include: ["test/electron/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
