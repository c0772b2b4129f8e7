// Where Electron's program is, on the machines that have it: beside its package, or where its own variable says.
import { existsSync } from "node:fs";
import { join } from "node:path";

const program: Partial<Record<NodeJS.Platform, string>> = {
  darwin: "Electron.app/Contents/MacOS/Electron",
  win32: "electron.exe",
};

/** Its path, or null where there is none. Nothing is fetched. */
export function electronBinary(): string | null {
  const folder =
    process.env["ELECTRON_OVERRIDE_DIST_PATH"] ?? join(import.meta.dirname, "../../node_modules/electron/dist");
  const path = join(folder, program[process.platform] ?? "electron");
  return existsSync(path) ? path : null;
}
