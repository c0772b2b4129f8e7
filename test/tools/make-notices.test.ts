// The notices: which packages they name, what they say of each, and what stops them from being written.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nativeNotices, noticesText, packageNotices, windowNotices } from "../../tools/make-notices.ts";

let root: string;

function put(path: string, content: unknown): void {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, typeof content === "string" ? content : JSON.stringify(content));
}

/** A package as it lies in node_modules. */
function install(name: string, manifest: object = {}): void {
  put(`node_modules/${name}/package.json`, { name, version: "1.2.3", license: "MIT", ...manifest });
  put(`node_modules/${name}/LICENSE.md`, `Terms of ${name}\n`);
}

function lock(packages: Record<string, object>): void {
  put("package-lock.json", { packages: { "": {}, ...packages } });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "rushes-notices-"));
  for (const name of ["node-addon-api", "node-api-headers"]) install(name);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("packages that run are named, nested ones too; those that only build, and sharp's other forms, are not", () => {
  for (const name of ["runs", "runs/node_modules/@within/it", "builds"]) install(name);
  lock({
    "node_modules/runs": {},
    "node_modules/runs/node_modules/@within/it": {},
    "node_modules/builds": { dev: true },
    "node_modules/@img/sharp-linux-x64": { optional: true },
    "node_modules/node-addon-api": {},
  });
  expect(packageNotices(root).map(({ name }) => name)).toEqual([
    "runs",
    "runs/node_modules/@within/it",
    "node-addon-api",
    "node-api-headers",
  ]);
});

test("what asks for its source's address has it", () => {
  install("plain", { repository: "https://example.org/plain" });
  install("shared", { license: "MPL-2.0", repository: { url: "git+https://example.org/shared.git" } });
  lock({ "node_modules/plain": {}, "node_modules/shared": {} });
  const text = noticesText(packageNotices(root));
  expect(text).toContain("\nshared 1.2.3 (MPL-2.0)\n\nSource: https://example.org/shared\n\nTerms of shared\n");
  expect(text).toContain("\nplain 1.2.3 (MIT)\n\nTerms of plain\n");
});

test("a package without a licence's text, or not installed, stops the packing", () => {
  lock({ "node_modules/bare": {} });
  expect(() => packageNotices(root)).toThrow(/bare is not there; `npm ci` installs it/);
  put("node_modules/bare/package.json", { name: "bare", version: "1.0.0", license: "MIT" });
  expect(() => packageNotices(root)).toThrow(/bare has no licence/);
});

test("the window's parts come from what Vite found", () => {
  expect(() => windowNotices(root)).toThrow("npm run build:renderer");
  const list = "out/renderer/.vite/license.json";
  put(list, [{ name: "svelte", version: "5.0.0", identifier: "MIT", text: "Terms" }]);
  expect(windowNotices(root)).toEqual([{ name: "svelte", version: "5.0.0", licence: "MIT", text: "Terms" }]);
  put(list, [{ name: "bare", version: "1.0.0", identifier: "MIT" }]);
  expect(() => windowNotices(root)).toThrow("bare has no licence");
});

test("the addon's parts come from the system, or the packing stops", () => {
  expect(() => nativeNotices(join(root, "doc"))).toThrow("pack on a Debian or Ubuntu");
  for (const name of ["libopenh264-dev", "libvpx-dev", "nlohmann-json3-dev"]) put(`doc/${name}/copyright`, "Terms");
  expect(nativeNotices(join(root, "doc")).map(({ name }) => name)).toEqual(["OpenH264", "libvpx", "nlohmann-json"]);
});

test("parts are sorted by name, each once", () => {
  const part = (name: string) => ({ name, version: "1.0.0", text: `Terms of ${name}` });
  const headings = noticesText([part("zod"), part("ajv"), part("zod")]).match(/^\w+ 1\.0\.0$/gm);
  expect(headings).toEqual(["ajv 1.0.0", "zod 1.0.0"]);
});
