// Where the built addon lies, and loading it. Only worker.ts imports this: nothing else may have native code in its
// process.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { RushesError } from "../../contract/errors.ts";
import type { Addon } from "./addon.ts";

export function loadAddon(path: string): Addon {
  if (!existsSync(path)) throw new RushesError("engine.missing", { detail: `${path} does not exist` });
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (error) {
    throw new RushesError("engine.missing", {
      sentence: "The engine is there but cannot be loaded.",
      detail: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}
