// The TypeScript suites. `unit` needs no generated video; `follow` and `e2e` run the built program (out/, build/Release).
import { defineConfig } from "vitest/config";

const slow = ["test/follow/**/*.test.ts", "test/e2e/**/*.test.ts"];

export default defineConfig({
  test: {
    environment: "node",
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: slow },
      },
      {
        extends: true,
        test: { name: "follow", include: ["test/follow/**/*.test.ts"], testTimeout: 900_000, hookTimeout: 900_000 },
      },
      {
        extends: true,
        test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 1_500_000, hookTimeout: 900_000 },
      },
    ],
  },
});
