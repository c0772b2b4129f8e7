// Which C++ file may include which: binding -> engine -> models -> ops -> runtime, with files read by models and engine
// only, and Node-API headers in the binding only.
import { posix } from "node:path";
import type { Problem, Source } from "./source.ts";

/** What each folder of addon/src may include besides itself. `rushes` is the public C header, `generated` what
 * contract/settings makes. */
const floors: Record<string, readonly string[]> = {
  binding: ["rushes", "engine", "generated"],
  engine: ["rushes", "generated", "models", "samplers", "media", "files", "ops", "cuda", "runtime"],
  models: ["ops", "files", "runtime"],
  samplers: ["ops", "runtime"],
  media: ["ops", "runtime"],
  files: ["runtime"],
  ops: ["cuda", "runtime"],
  cuda: ["runtime"],
  runtime: [],
  generated: ["rushes"],
};

const nodeApi = /^(napi|node_api|js_native_api|node|v8|uv)(_types)?(-inl)?\.h$/;

export function nativeProblems(sources: readonly Source[]): Problem[] {
  const native = sources.filter(({ path }) => /\.(cpp|h|hpp|cc|c|cu|cuh)$/.test(path));
  const paths = new Set(native.map(({ path }) => path));
  return native.flatMap((source) =>
    includesOf(source.text).flatMap((name) =>
      includeProblems(source.path, name, paths).map((problem) => `${source.path} ${problem}`),
    ),
  );
}

/** The names between quotes or brackets, comments left out. */
function includesOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(/^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]/gm)].map((match) => match[1]!);
}

function includeProblems(path: string, name: string, paths: ReadonlySet<string>): Problem[] {
  const isAddon = path.startsWith("addon/");
  if (nodeApi.test(name) && !path.startsWith("addon/src/binding/"))
    return [`includes ${name}: Node-API lives in addon/src/binding only`];
  if (isAddon && name.startsWith("doctest")) return [`includes ${name}: tests live in test/native`];
  const target = resolve(path, name, paths);
  if (!target || !isAddon) return [];
  if (!target.startsWith("addon/")) return [`includes ${target}: the addon may not include ${target.split("/")[0]}`];
  if (path.startsWith("addon/include/"))
    return target.startsWith("addon/include/") ? [] : [`includes ${target}: the C interface stands alone`];
  return floorProblems(path, target);
}

function floorProblems(path: string, target: string): Problem[] {
  const [from, to] = [floorOf(path), floorOf(target)];
  const allowed = floors[from];
  if (!allowed) return [`lies in addon/src/${from}, a folder test/layers/native-rules.ts does not know`];
  if (from !== to) return allowed.includes(to) ? [] : [`includes ${target}: ${from} may not include ${to}`];
  // One model or one operation does not know its neighbours' insides, only what lies directly in models/ or ops/.
  const [own, other] = [path.split("/"), target.split("/")];
  const isNeighbour = from === "models" && other.length > 4 && own.length > 4 && own[3] !== other[3];
  return isNeighbour ? [`includes ${target}: one model may not include another`] : [];
}

function floorOf(path: string): string {
  if (path.startsWith("addon/include/")) return "rushes";
  return path.split("/")[2] ?? "";
}

/** The project's file an include means, or undefined for a library's. */
function resolve(path: string, name: string, paths: ReadonlySet<string>): string | undefined {
  const folders = [posix.dirname(path), "addon/src", "addon/include", "test/native"];
  return folders.map((folder) => posix.normalize(posix.join(folder, name))).find((candidate) => paths.has(candidate));
}
