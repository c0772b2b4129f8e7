// electron-builder.yml packs what it should. Electron itself cannot be had without a network, so a stand-in folder takes
// its place; what lies around it is real.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Arch, build, Platform } from "electron-builder";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-packaging-"));
  const electron = standIn(join(folder, "electron"));
  await build({
    targets: Platform.LINUX.createTarget("dir", Arch.x64),
    projectDir: root,
    config: {
      extends: "./electron-builder.yml",
      electronDist: electron,
      directories: { output: join(folder, "dist") },
      // There is no window to start yet.
      extraMetadata: { main: "out/app/cli/main.js" },
    },
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function standIn(electron: string): string {
  for (const name of ["locales", "resources"]) mkdirSync(join(electron, name), { recursive: true });
  for (const name of ["LICENSE", "LICENSES.chromium.html", "version", "locales/en-US.pak"])
    writeFileSync(join(electron, name), "stand-in\n");
  // The mark that the fuses are found by, with nine of them.
  const fuses = Buffer.concat([
    Buffer.from("dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX"),
    Buffer.from([1, 9]),
    Buffer.from("000000000"),
  ]);
  writeFileSync(join(electron, "electron"), Buffer.concat([Buffer.from("#!/bin/sh\n# "), fuses]));
  chmodSync(join(electron, "electron"), 0o755);
  return electron;
}

test.each([
  "rushes",
  "resources/app.asar",
  "resources/rushes.node",
  "resources/models/demo/manifest.json",
  "resources/models/demo/demo-t2v-quant.pth",
  "resources/app.asar.unpacked/node_modules/better-sqlite3/package.json",
])("%s is packed", (path) => expect(existsSync(join(folder, "dist/linux-unpacked", path)), path).toBe(true));
