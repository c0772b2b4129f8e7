// Builds app/preload.ts into out/app/preload.cjs: the preload of a sandboxed window is one CommonJS file that may require
// nothing but "electron".
import { join } from "node:path";
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    outDir: join(import.meta.dirname, "out/app"),
    emptyOutDir: false,
    minify: false,
    target: "chrome140",
    lib: { entry: join(import.meta.dirname, "app/preload.ts"), formats: ["cjs"], fileName: () => "preload.cjs" },
    rolldownOptions: { external: ["electron"] },
  },
});
