// Lint rules for all TypeScript and Svelte. Which room may import which is test/layers.test.ts; formatting is Prettier's.
import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import tseslint from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

export default tseslint.config(
  { ignores: ["node_modules/", "build*/", "out/", "dist/", ".cache/", "models/", "test/golden/"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: globals.es2024 },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      // `array[i]!` after a length check is clearer than a branch that cannot be taken.
      "@typescript-eslint/no-non-null-assertion": "off",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name; the file carries that name." },
      ],
      "@typescript-eslint/no-dynamic-delete": "off",
      eqeqeq: "error",
    },
  },
  {
    files: ["app/**", "test/**", "tools/**"],
    ignores: ["test/renderer/**"],
    languageOptions: { globals: globals.node },
  },
  { files: ["renderer/**", "test/renderer/**"], languageOptions: { globals: globals.browser } },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: tseslint.parser, extraFileExtensions: [".svelte"], svelteConfig } },
    rules: {
      // The compiler's types are checked by svelte-check; without them this rule knows no global type.
      "no-undef": "off",
      // `let { value = $bindable() } = $props()` and $state are assigned from markup.
      "prefer-const": "off",
      // Plain collections are used on purpose where nothing is drawn from them.
      "svelte/prefer-svelte-reactivity": "off",
      "svelte/prefer-const": ["error", { destructuring: "all" }],
    },
  },
  // These files' form is their tools': a configuration is a default export.
  { files: ["*.config.{js,ts}"], rules: { "no-restricted-syntax": "off" } },
);
