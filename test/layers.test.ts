// Every arrow between the project's rooms and floors, read from the imports and includes of all sources. The second half
// feeds the rules wrong sources, so that a rule that has gone blind is noticed.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileProblems } from "./layers/file-rules.ts";
import { nativeProblems } from "./layers/native-rules.ts";
import { rendererProblems } from "./layers/renderer-rules.ts";
import { readSources, type Source } from "./layers/source.ts";
import { typescriptProblems } from "./layers/typescript-rules.ts";

const root = join(import.meta.dirname, "..");
const sources = readSources(root);

describe("the project", () => {
  test("every room is read", () => {
    for (const room of ["contract/", "app/", "renderer/", "addon/src/", "addon/include/", "test/", "tools/"])
      expect(
        sources.some(({ path }) => path.startsWith(room)),
        room,
      ).toBe(true);
  });
  test("TypeScript imports go one way", () => expect(typescriptProblems(sources)).toEqual([]));
  test("C++ includes go one way", () => expect(nativeProblems(sources)).toEqual([]));
  test("the window's folders stand on each other one way", () => expect(rendererProblems(sources)).toEqual([]));
  test("files are named, opened and cut as they should be", () => expect(fileProblems(sources)).toEqual([]));
});

type Rule = (sources: readonly Source[]) => string[];

/** The problems one file of that text would have, beside empty files at the other paths. */
function found(rule: Rule, path: string, text: string, ...others: string[]): string {
  return rule([{ path, text }, ...others.map((other) => ({ path: other, text: "// Nothing." }))]).join("\n");
}

describe("wrong TypeScript is refused", () => {
  test.each([
    ["contract/job.ts", 'import { x } from "../app/jobs/queue.ts";', "contract may not import app"],
    ["contract/job.ts", 'import { z } from "zod";', "contract imports nothing"],
    ["contract/job.ts", 'import type { Buffer } from "node:buffer";', "contract imports nothing"],
    ["contract/job.ts", "export const here = process.cwd();", "no Node in contract"],
    ["renderer/views/list.ts", 'import { x } from "../../app/studio/studio.ts";', "renderer may not import app"],
    ["renderer/views/list.ts", 'import { readFile } from "node:fs/promises";', "no Node in renderer"],
    ["renderer/views/list.ts", "export const home = process.env.HOME;", "no Node in renderer"],
    ["app/jobs/queue.ts", 'import { x } from "../../renderer/state/jobs.ts";', "app may not import renderer"],
    ["app/jobs/queue.ts", 'import { x } from "../../test/frames.ts";', "app may not import test"],
    ["app/jobs/queue.ts", 'import { x } from "../cli/main.ts";', "app/jobs may not import app/cli"],
    ["app/jobs/queue.ts", 'import { x } from "../studio/studio.ts";', "app/jobs may not import app/studio"],
    ["app/history/reads/jobs.ts", 'import { x } from "../../jobs/queue.ts";', "app/history may not import app/jobs"],
    ["app/cli/main.ts", 'import { x } from "../engine/client.ts";', "app/cli may not import app/engine"],
    ["app/library/open.ts", 'import { x } from "../cli/main.ts";', "app/library may not import app/cli"],
    ["app/text/tokenizer.ts", 'export { x } from "../history/database.ts";', "app/text may not import app/history"],
    ["app/text/tokenizer.ts", 'const x = await import("../jobs/queue.ts");', "app/text may not import app/jobs"],
    ["app/odds/ends.ts", 'import { x } from "../jobs/queue.ts";', "does not know"],
    ["app/jobs/queue.ts", 'import { app } from "electron";', "imports electron"],
    ["app/jobs/queue.ts", 'const path = "../../build/Release/rushes.node";', "only app/engine knows"],
    ["app/engine/client.ts", 'import { createRequire } from "node:module";', "load the addon"],
    ["app/jobs/queue.ts", 'process.dlopen(module, "rushes");', "load the addon"],
    ["app/jobs/queue.ts", "export const width = window.innerWidth;", "no DOM in app"],
    ["app/jobs/queue.ts", "export function isNode(x: unknown) { return x instanceof HTMLElement; }", "no DOM in app"],
    ["app/jobs/queue.ts", 'import { x } from "./running.js"; export default x;', "default export"],
    ["app/jobs/queue.ts", "export default class Queue {}", "default export"],
    ["app/jobs/queue.ts", 'import { x } from "./running";', "without the file's own ending"],
  ])("%s: %s", (path, text, problem) => expect(found(typescriptProblems, path, text)).toContain(problem));
});

describe("a wrong window is refused", () => {
  const script = (text: string) => `<script lang="ts">\n  ${text}\n</script>\n`;
  test.each([
    [
      "renderer/parts/Slider.svelte",
      script('import { form } from "../state/form.svelte.ts";'),
      "renderer/parts may not",
    ],
    [
      "renderer/parts/Slider.svelte",
      script('import { request } from "../bridge.ts";'),
      "may not import renderer/bridge",
    ],
    ["renderer/state/jobs.svelte.ts", 'import Meter from "../parts/Meter.svelte";', "renderer/state may not"],
    ["renderer/text/english.ts", 'import { form } from "../state/form.svelte.ts";', "renderer/text may not"],
    ["renderer/views/queue/QueueView.svelte", script('import A from "../generate/A.svelte";'), "one view may not"],
    ["renderer/panels/ExportMenu.svelte", script('import A from "../views/queue/A.svelte";'), "panels may not"],
    ["renderer/parts/Slider.svelte", script('import A from "../panels/ExportMenu.svelte";'), "parts may not"],
    [
      "renderer/views/queue/Q.svelte",
      script('const a = import.meta.glob("../generate/A.svelte");'),
      "import.meta.glob",
    ],
    ["renderer/views/queue/Q.svelte", script('const a = () => import("../generate/A.svelte");'), "one view may not"],
    ["renderer/views/queue/QueueView.svelte", script('import A from "../../App.svelte";'), "the root's files"],
    ["renderer/odds/Ends.svelte", script('import A from "../parts/A.svelte";'), "does not know"],
    ["renderer/state/jobs.svelte.ts", "export const there = window.rushes;", "only renderer/bridge.ts"],
    ["renderer/parts/Slider.svelte", '<div class="rail" style="width: 3px"></div>', "fixed style attribute"],
  ])("%s: %s", (path, text, problem) => expect(found(rendererProblems, path, text)).toContain(problem));

  test("a component's script is read as TypeScript is", () => {
    const wrong = script('import { readFile } from "node:fs/promises";');
    expect(found(typescriptProblems, "renderer/parts/Slider.svelte", wrong)).toContain("no Node in renderer");
    const right = `${script('import X from "./X.svelte"; let { a } = $props();')}<p style:width="{a}%">import "node:fs"</p>`;
    expect(found(typescriptProblems, "renderer/parts/Slider.svelte", right)).toBe("");
    expect(found(rendererProblems, "renderer/parts/Slider.svelte", right)).toBe("");
  });
});

test("right TypeScript is accepted", () => {
  const right: Source[] = [
    { path: "app/cli/main.ts", text: 'import { open } from "../library/index.ts";' },
    {
      path: "app/studio/studio.ts",
      text: 'import { x } from "../jobs/queue.ts"; import type { J } from "../../contract/job.ts";',
    },
    { path: "app/engine/worker.ts", text: 'const path = "../../build/Release/rushes.node";' },
    {
      path: "app/jobs/queue.ts",
      text: "export function title(document: { title: string }) { return document.title; }",
    },
    { path: "app/jobs/queue.ts", text: '// import { x } from "../cli/main.ts";\nexport const window2 = "window.x";' },
    { path: "renderer/bridge.ts", text: 'import type { J } from "../contract/job.ts"; document.title = "";' },
  ];
  expect(typescriptProblems(right)).toEqual([]);
});

describe("wrong C++ is refused", () => {
  test.each([
    ["addon/src/ops/norm/norm.cpp", "models/weights.h", "ops may not include models"],
    ["addon/src/ops/norm/norm.cpp", "engine/session.h", "ops may not include engine"],
    ["addon/src/ops/norm/norm.cpp", "files/checkpoint.h", "ops may not include files"],
    ["addon/src/runtime/tensor.cpp", "ops/norm/norm.h", "runtime may not include ops"],
    ["addon/src/files/pth.cpp", "models/weights.h", "files may not include models"],
    ["addon/src/samplers/rcm.cpp", "files/checkpoint.h", "samplers may not include files"],
    ["addon/src/engine/session.cpp", "binding/model.h", "engine may not include binding"],
    ["addon/src/models/umt5/umt5.cpp", "engine/session.h", "models may not include engine"],
    ["addon/src/binding/model.cpp", "models/weights.h", "binding may not include models"],
    ["addon/src/models/umt5/umt5.cpp", "models/wan_vae/wan_vae.h", "one model may not include another"],
    ["addon/src/models/umt5/umt5.cpp", "../../engine/session.h", "models may not include engine"],
    ["addon/src/elsewhere/thing.cpp", "runtime/tensor.h", "does not know"],
  ])("%s includes %s", (path, include, problem) => {
    const target = include.startsWith("..") ? "addon/src/engine/session.h" : `addon/src/${include}`;
    expect(found(nativeProblems, path, `#include "${include}"`, target)).toContain(problem);
  });
  test.each(["napi.h", "node_api.h", "js_native_api.h"])("%s outside the binding", (header) => {
    expect(found(nativeProblems, "addon/src/engine/session.cpp", `#include <${header}>`)).toContain("binding only");
    expect(found(nativeProblems, "addon/src/binding/model.cpp", `#include <${header}>`)).toBe("");
  });
  test("the C interface stands alone", () => {
    const text = '#include "runtime/tensor.h"';
    expect(found(nativeProblems, "addon/include/rushes/engine.h", text, "addon/src/runtime/tensor.h")).toContain(
      "alone",
    );
  });
});

describe("wrong files are refused", () => {
  test.each([
    ["app/jobs/job-utils.ts", "// Jobs.", "says nothing"],
    ["addon/src/ops/linear/linear_fast.cpp", "// Linear.", "says nothing"],
    ["app/helpers/text.ts", "// Text.", "says nothing"],
    ["app/jobs/runQueue.ts", "// Queue.", "form"],
    ["addon/src/ops/linear/Linear.cpp", "// Linear.", "form"],
    ["app/jobs/queue.ts", "export const x = 1;", "comment"],
    ["app/jobs/queue.ts", "// Long.\n".repeat(601), "601 lines"],
  ])("%s", (path, text, problem) => expect(found(fileProblems, path, text)).toContain(problem));
  test("a .cpp file that begins with its header needs no comment, another does", () => {
    const text = '#include "runtime/tensor.h"\n';
    expect(found(fileProblems, "addon/src/runtime/tensor.cpp", text)).toBe("");
    expect(found(fileProblems, "addon/src/runtime/memory.cpp", text)).toContain("comment");
  });
  test("a file of 600 lines is not too long", () => {
    expect(found(fileProblems, "app/jobs/queue.ts", "// Long.\n".repeat(600))).toBe("");
  });
});
