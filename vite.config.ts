// Builds renderer/ into out/renderer/, which both doors serve as it is: the HTTP server and the window's app:// protocol.
// The tests' own configuration is vitest.config.ts.
import { join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

/** What a page of Rushes may load and run. Both doors send it as a header too, where frame-ancestors can be said. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "font-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Only in what is built: `vite dev` brings styles in with inline elements, which the policy forbids. */
const securityPolicy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: contentSecurityPolicy },
      injectTo: "head-prepend",
    },
  ],
};

export default defineConfig({
  root: join(import.meta.dirname, "renderer"),
  // Relative, so that it does not matter under which address the folder is served.
  base: "./",
  plugins: [svelte({ configFile: join(import.meta.dirname, "svelte.config.js") }), securityPolicy],
  build: {
    outDir: join(import.meta.dirname, "out/renderer"),
    emptyOutDir: true,
    // A font or picture inside a style sheet would be a data: address, which the policy does not allow for fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    manifest: true,
    // What it is built of beside our own files, with the licences: tools/make-notices.ts reads it.
    license: { fileName: ".vite/license.json" },
  },
});
