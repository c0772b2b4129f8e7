// How .svelte files are compiled: runes everywhere, types stripped before the compiler sees them.
import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

export default {
  preprocess: vitePreprocess({ style: false }),
  compilerOptions: { runes: true },
  vitePlugin: {
    // Libraries of older components (virtua) are compiled by their own form.
    dynamicCompileOptions: ({ filename }) => (filename.includes("/node_modules/") ? { runes: undefined } : undefined),
  },
};
