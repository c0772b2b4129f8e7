// Lint rules for all TypeScript. Which room may import which is test/layers.test.ts; formatting is Prettier's.
import js from "@eslint/js";
import globals from "globals";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules/", "build*/", "out/", "dist/", ".cache/", "models/", "test/golden/"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
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
  { files: ["app/**", "test/**", "tools/**"], languageOptions: { globals: globals.node } },
  // These files' form is their tools': a configuration is a default export.
  { files: ["*.config.{js,ts}"], rules: { "no-restricted-syntax": "off" } },
);
