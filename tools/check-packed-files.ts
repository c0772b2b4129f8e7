// Whether what lies in build/ and out/ may be packed: electron-builder itself takes whatever is there, and says nothing of what
// is not.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type BinaryTarget, neededLibraries, targetOf } from "./native-binary.ts";

/** What every Linux with a desktop has under these names. OpenMP's library cannot be linked into an addon. */
const systemLibraries = /^(ld-linux.*|lib(c|m|dl|rt|pthread)\.so\.\d|libgomp\.so\.1)$/;

const buildAnew = "`npm run pack` builds everything anew.";

/** Why this tree cannot be packed for a system, and what to do; null where it can. */
export function packingProblem(root: string, wanted: BinaryTarget): string | null {
  if (wanted.platform !== "linux") return `The engine is not built for ${wanted.platform} yet; pack for Linux.`;
  const addon = join(root, "build/Release/rushes.node");
  const page = join(root, "out/renderer/index.html");
  const within = (...paths: string[]) => paths.map((path) => join(root, path));
  return (
    addonProblem(addon, wanted) ??
    staleProblem(addon, within("addon", "CMakeLists.txt")) ??
    staleProblem(join(root, "out/app/main.js"), within("app", "contract")) ??
    staleProblem(join(root, "out/app/preload.cjs"), within("app/preload.ts", "app/ipc", "contract")) ??
    staleProblem(page, within("renderer", "contract"))
  );
}

/** Why an addon would not load on other machines of that kind. */
export function addonProblem(path: string, wanted: BinaryTarget): string | null {
  if (!existsSync(path)) return `${path} is not there; ${buildAnew}`;
  const bytes = readFileSync(path);
  const target = targetOf(bytes);
  if (target?.platform !== wanted.platform || target.arch !== wanted.arch) {
    const built = target ? `built for ${target.platform} on ${target.arch}` : "no library";
    return `${path} is ${built}, not for ${wanted.platform} on ${wanted.arch}; build it on such a machine.`;
  }
  const strange = strangeLibraries(neededLibraries(bytes));
  if (strange.length === 0) return null;
  return `${path} needs ${strange.join(", ")}, which other systems have in other versions; ${buildAnew}`;
}

/** Those that a packed addon may not ask its system for. */
export function strangeLibraries(needed: readonly string[]): string[] {
  return needed.filter((name) => !systemLibraries.test(name));
}

/** Why a built file is not what its sources say: files, or folders with all that is in them. */
export function staleProblem(built: string, sources: readonly string[]): string | null {
  const time = timeOf(built);
  if (time === null) return `${built} is not there; ${buildAnew}`;
  // Sources of a fresh clone are as old as the clone, hence older than anything built of them.
  const newer = sources.flatMap(filesIn).find((path) => (timeOf(path) ?? 0) > time);
  return newer === undefined ? null : `${built} is older than ${newer}; ${buildAnew}`;
}

function timeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function filesIn(path: string): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
