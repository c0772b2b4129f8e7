// How the engine's process is started, whoever starts it: which file, with which environment, and where an installed program
// keeps the addon.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** worker.ts from the sources, worker.js from what was built of them. */
export function workerPath(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url));
}

/** This process's environment, but for what concerns itself alone. */
export function engineEnvironment(): Record<string, string> {
  // A team that sleeps when idle: spinning threads starve the rest of a busy machine (docs/SPEED.md).
  const environment = { OMP_WAIT_POLICY: "passive", ...process.env, NODE_OPTIONS: "" };
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** The addon beside an installed program; `resources` is the folder that its packer fills (electron-builder.yml). */
export function installedAddonPath(resources: string): string {
  return join(resources, "rushes.node");
}
