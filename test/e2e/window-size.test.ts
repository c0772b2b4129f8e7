// What the browser fetches before the window shows anything, counted from the built page: scripts and styles of the entry
// with everything it imports at once, as gzip. Views are fetched when they are shown and do not count.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { buildWindow } from "./studio-window/build-window.ts";

const built = join(import.meta.dirname, "../../out/renderer");
const mostScriptBytes = 250_000;
const mostStyleBytes = 30_000;

interface Chunk {
  file: string;
  isEntry?: boolean;
  imports?: string[];
  css?: string[];
}

beforeAll(buildWindow, 300_000);

test("the window begins with less than 250 kB of scripts", () => {
  const manifest = JSON.parse(readFileSync(join(built, ".vite/manifest.json"), "utf8")) as Record<string, Chunk>;
  const scripts = new Set<string>();
  const styles = new Set<string>();
  const visit = (name: string) => {
    const chunk = manifest[name]!;
    if (scripts.has(chunk.file)) return;
    scripts.add(chunk.file);
    for (const style of chunk.css ?? []) styles.add(style);
    for (const one of chunk.imports ?? []) visit(one);
  };
  for (const [name, { isEntry }] of Object.entries(manifest)) if (isEntry) visit(name);
  expect(scripts.size).toBeGreaterThan(0);
  expect(packed(scripts)).toBeLessThan(mostScriptBytes);
  expect(packed(styles)).toBeLessThan(mostStyleBytes);
});

test("the built page carries its policy, and nothing inline", () => {
  const page = readFileSync(join(built, "index.html"), "utf8").replaceAll("&#39;", "'");
  expect(page).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(page).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)|unsafe|\son\w+=/);
});

function packed(files: Iterable<string>): number {
  return [...files].reduce((sum, file) => sum + gzipSync(readFileSync(join(built, file))).length, 0);
}
