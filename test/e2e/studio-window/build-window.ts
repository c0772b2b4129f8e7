// Builds the window when its sources are newer than what was built of them. Test files run at the same time: one builds, the
// others wait for it.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { projectRoot } from "../../app/server/serve-process.ts";

const built = join(projectRoot, "out/renderer/index.html");
const sources = ["renderer", "contract", "package-lock.json", "vite.config.ts"].map((name) => join(projectRoot, name));
const lock = join(projectRoot, ".cache/window-build");
/** A lock older than this was left by a build that was ended. */
const lockMilliseconds = 180_000;

export async function buildWindow(): Promise<void> {
  while (isStale()) {
    if (!takeLock()) {
      await sleep(200);
      continue;
    }
    try {
      if (isStale()) execFileSync("npm", ["run", "--silent", "build:renderer"], { cwd: projectRoot, stdio: "pipe" });
    } finally {
      rmdirSync(lock);
    }
  }
}

function isStale(): boolean {
  return !existsSync(built) || sources.some((source) => newest(source) > statSync(built).mtimeMs);
}

function newest(path: string): number {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return Math.max(
    ...entries.filter((each) => each.isFile()).map((each) => statSync(join(each.parentPath, each.name)).mtimeMs),
  );
}

function takeLock(): boolean {
  try {
    mkdirSync(join(lock, ".."), { recursive: true });
    mkdirSync(lock);
    return true;
  } catch {
    try {
      if (Date.now() - statSync(lock).mtimeMs > lockMilliseconds) rmdirSync(lock);
    } catch {
      // Its owner was done meanwhile.
    }
    return false;
  }
}
