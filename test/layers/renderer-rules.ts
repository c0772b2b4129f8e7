// What holds for the window's components: which folder of renderer may use which, who may touch the preload object, and
// what the page's security policy would refuse. Imports between rooms are typescript-rules.ts.
import { posix } from "node:path";
import type { Problem, Source } from "./source.ts";

/** What each folder of renderer may import besides itself; "bridge" is bridge.ts. Views know no other view: what several
 * show and what knows the studio is a panel. */
const floors: Readonly<Record<string, readonly string[]>> = {
  frame: ["state", "fields", "parts", "text", "bridge"],
  views: ["panels", "state", "fields", "parts", "text", "bridge"],
  panels: ["state", "fields", "parts", "text", "bridge"],
  state: ["text", "bridge"],
  fields: ["state", "parts", "text"],
  parts: ["text"],
  text: [],
  style: [],
};

export function rendererProblems(sources: readonly Source[]): Problem[] {
  return sources
    .filter(({ path }) => path.startsWith("renderer/") && /\.(svelte|ts)$/.test(path))
    .flatMap(({ path, text }) =>
      [
        ...importProblems(path, text),
        ...globProblems(path, text),
        ...bridgeProblems(path, text),
        ...policyProblems(path, text),
      ].map((problem) => `${path} ${problem}`),
    );
}

function importProblems(path: string, text: string): Problem[] {
  const from = floorOf(path);
  if (from === "") return [];
  const allowed = floors[from];
  if (!allowed) return [`lies in renderer/${from}, a folder test/layers/renderer-rules.ts does not know`];
  return importsOf(text).flatMap((specifier) => {
    const target = posix.normalize(posix.join(posix.dirname(path), specifier));
    if (!target.startsWith("renderer/")) return [];
    const to = target === "renderer/bridge.ts" ? "bridge" : floorOf(target);
    if (from === "views" && to === "views" && viewOf(path) !== viewOf(target))
      return [`imports ${target}: one view may not import another`];
    if (from === to || allowed.includes(to)) return [];
    return [`imports ${target}: renderer/${from} may not import ${to === "" ? "the root's files" : `renderer/${to}`}`];
  });
}

/** Relative specifiers, of imports in a component's script too; those in comments stand at no line's beginning. */
function importsOf(text: string): string[] {
  const statements = text.matchAll(/^\s*(?:import|export)\s(?:[^;'"]*?\sfrom\s)?["'](\.[^"']+)["']/gm);
  const calls = text.matchAll(/\bimport\(\s*["'](\.[^"']+)["']\s*\)/g);
  return [...statements, ...calls].map((found) => found[1]!);
}

/** A pattern names files past the rules above; the window's root fetches its views by one. */
function globProblems(path: string, text: string): Problem[] {
  return path !== "renderer/App.svelte" && /\bimport\.meta\.glob\b/.test(text)
    ? ["uses import.meta.glob: only renderer/App.svelte fetches views; a dialog can be fetched by import()"]
    : [];
}

function bridgeProblems(path: string, text: string): Problem[] {
  return path !== "renderer/bridge.ts" && /\bwindow\.rushes\b/.test(text)
    ? ["touches window.rushes: only renderer/bridge.ts does"]
    : [];
}

/** Svelte writes a style that never changes into the markup, where the policy forbids it; style:name is set by script. */
function policyProblems(path: string, text: string): Problem[] {
  if (!path.endsWith(".svelte")) return [];
  const elements = text.matchAll(/<[a-z][^<>]*?\sstyle="[^"{]*"/g);
  return [...elements].map(
    ([found]) => `has a fixed style attribute (${found.slice(0, 40)} ...): use a class or style:name`,
  );
}

function floorOf(path: string): string {
  const parts = path.split("/");
  return parts.length > 2 ? parts[1]! : "";
}

function viewOf(path: string): string {
  return path.split("/")[2] ?? "";
}
