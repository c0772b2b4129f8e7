// electron-builder.yml packs what the window needs, and nothing of what only builds it. Electron itself cannot be had without a
// network, so a stand-in folder takes its place; what lies around it is real.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { extractFile, listPackage } from "@electron/asar";
import { FuseV1Options, getCurrentFuseWire } from "@electron/fuses";
import { Arch, build, type Configuration, Platform } from "electron-builder";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { strangeLibraries } from "../../tools/check-packed-files.ts";
import { headingOf, writeNotices } from "../../tools/make-notices.ts";
import { neededLibraries } from "../../tools/native-binary.ts";
import { buildWindow } from "./studio-window/build-window.ts";

const root = join(import.meta.dirname, "../..");
let folder: string;
let packed: string;
let archive: string;
/** Everything in the archive, "/out/app/main.js". */
let files: Set<string>;

beforeAll(async () => {
  execFileSync("npm", ["run", "--silent", "build:app"], { cwd: root, stdio: "pipe" });
  await buildWindow();
  folder = mkdtempSync(join(tmpdir(), "rushes-packaging-"));
  await pack(Platform.LINUX, {
    // Of the hook the notices alone: a developer's addon may be older than its sources, and need this system's libraries.
    beforePack: ({ packager }) => void writeNotices(packager.projectDir),
  });
  packed = join(folder, "dist/linux-unpacked");
  archive = join(packed, "resources/app.asar");
  files = new Set(listPackage(archive, { isPack: false }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Packs into a folder of the test, with a stand-in for Electron's folder. */
function pack(platform: Platform, config: Configuration): Promise<string[]> {
  return build({
    targets: platform.createTarget("dir", Arch.x64),
    projectDir: root,
    config: {
      extends: "./electron-builder.yml",
      electronDist: standIn(join(folder, "electron")),
      directories: { output: join(folder, "dist") },
      ...config,
    },
  });
}

/** The mark that fuses are found by. */
const sentinel = "dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX";

function standIn(electron: string): string {
  for (const name of ["locales", "resources"]) mkdirSync(join(electron, name), { recursive: true });
  for (const name of ["LICENSE", "LICENSES.chromium.html", "version", "locales/en-US.pak"])
    writeFileSync(join(electron, name), "stand-in\n");
  // Version 1 with nine fuses, as Electron comes: as Node, options and inspection allowed, any folder loaded.
  const fuses = Buffer.concat([Buffer.from(sentinel), Buffer.from([1, 9]), Buffer.from("101100010")]);
  writeFileSync(join(electron, "electron"), Buffer.concat([Buffer.from("#!/bin/sh\n# "), fuses]));
  chmodSync(join(electron, "electron"), 0o755);
  return electron;
}

const textOf = (path: string) => extractFile(archive, path.slice(1)).toString("utf8");

describe("beside the archive", () => {
  test.each([
    "rushes",
    "resources/rushes.node",
    "resources/LICENSE",
    "resources/THIRD-PARTY-NOTICES.txt",
    "resources/models/demo/manifest.json",
    "resources/models/demo/demo-t2v-quant.pth",
    "resources/app.asar.unpacked/node_modules/better-sqlite3/package.json",
  ])("%s is packed", (path) => expect(existsSync(join(packed, path)), path).toBe(true));
});

describe("the addon", () => {
  const cache = join(root, "build/CMakeCache.txt");
  const portable = existsSync(cache) && readFileSync(cache, "utf8").includes("\nRUSHES_PORTABLE:BOOL=ON\n");

  // Of what a developer builds for one machine nothing is claimed.
  test.runIf(portable)("that was built to be packed needs nothing that only this system has", () => {
    const needed = neededLibraries(readFileSync(join(packed, "resources/rushes.node")));
    expect(needed).toContain("libc.so.6");
    expect(strangeLibraries(needed)).toEqual([]);
  });

  test("of another system is refused before anything is packed", async () => {
    await expect(pack(Platform.WINDOWS, {})).rejects.toThrow("The engine is not built for win32 yet");
    expect(existsSync(join(folder, "dist/win-unpacked"))).toBe(false);
  });
});

describe("the notices", () => {
  const notices = () => readFileSync(join(packed, "resources/THIRD-PARTY-NOTICES.txt"), "utf8");
  const part = (heading: string) =>
    notices()
      .split(`\n${"=".repeat(80)}\n`)
      .find((each) => each.startsWith(heading)) ?? "";

  test("have a heading for every package in the archive, and its licence's text", () => {
    const manifests = [...files].filter((path) => /\/node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path));
    expect(manifests.length).toBeGreaterThan(20);
    for (const path of manifests) {
      const { name, version, license } = JSON.parse(textOf(path)) as Record<string, string>;
      const heading = headingOf({ name: name!, version, licence: license });
      expect(part(`${heading}\n`).length, heading).toBeGreaterThan(heading.length + 200);
    }
  });

  test("have the window's packages and what is linked into the addon", () => {
    for (const name of [
      "svelte ",
      "bits-ui ",
      "@lucide/svelte ",
      "virtua ",
      "OpenH264\n",
      "libvpx\n",
      "nlohmann-json\n",
    ])
      expect(part(name).length, name).toBeGreaterThan(200);
  });

  test("say where the source is had of what asks for that", () => {
    expect(part("mediabunny ")).toContain("\nSource: https://github.com/");
    expect(part("@img/sharp-wasm32 ")).toContain("\nSource: https://github.com/");
    expect(part("@img/sharp-wasm32 ")).toContain("GNU LESSER GENERAL PUBLIC LICENSE");
  });
});

describe("the archive", () => {
  test("holds the program, the preload, the engine's worker and the page", () => {
    const { main } = JSON.parse(textOf("/package.json")) as { main: string };
    for (const path of [
      `/${main}`,
      "/out/app/preload.cjs",
      "/out/app/engine/worker.js",
      "/out/app/export/picture-thread.js",
      "/out/app/media/input-picture-thread.js",
      "/node_modules/@img/sharp-wasm32/package.json",
      "/out/renderer/index.html",
    ])
      expect(files.has(path), path).toBe(true);
    const page = textOf("/out/renderer/index.html");
    expect(page).toContain("Content-Security-Policy");
    for (const [, address] of page.matchAll(/(?:src|href)="\.\/([^"]+)"/g))
      expect(files.has(`/out/renderer/${address}`), address).toBe(true);
  });

  test("holds nothing that only builds or tests", () => {
    const unwanted =
      /\.(ts|svelte|map|tsbuildinfo|txt)$|\/\.vite\/|^\/(app|renderer|test|tools|addon|build|models|packaging)\/|^\/\.cache/;
    const ours = [...files].filter((path) => !path.startsWith("/node_modules/"));
    expect(ours.filter((path) => unwanted.test(path))).toEqual([]);
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    expect(Object.keys(devDependencies).filter((name) => files.has(`/node_modules/${name}/package.json`))).toEqual([]);
  });

  test("holds every file and package that is imported, from each of the processes' first files", () => {
    const { found, packages, lost } = walk([
      "/out/app/main.js",
      "/out/app/engine/worker.js",
      "/out/app/export/picture-thread.js",
      "/out/app/media/input-picture-thread.js",
    ]);
    expect(lost).toEqual([]);
    expect(found.size).toBeGreaterThan(100);
    expect([...packages]).toEqual(expect.arrayContaining(["better-sqlite3", "mediabunny", "ajv", "zod", "sharp"]));
    // What sharp loads is chosen while it runs.
    expect(missingPackages([...packages, "@img/sharp-wasm32"])).toEqual([]);
  });

  test("reads pictures by WebAssembly alone", () => {
    const image = [...files].filter((path) => path.startsWith("/node_modules/@img/"));
    expect(image.some((path) => path.endsWith(".wasm"))).toBe(true);
    expect(image.filter((path) => path.endsWith(".node") || path.includes(".so"))).toEqual([]);
  });

  test("has one SQLite, this platform's", () => {
    const unpacked = join(packed, "resources/app.asar.unpacked/node_modules/better-sqlite3");
    const binaries = readdirSync(unpacked, { recursive: true }).filter((name) => String(name).endsWith(".node"));
    expect(binaries).toHaveLength(1);
  });
});

/** Follows imports inside the archive; names packages on the way. */
function walk(starts: readonly string[]): { found: Set<string>; packages: Set<string>; lost: string[] } {
  const [found, packages, lost] = [new Set<string>(), new Set<string>(), [] as string[]];
  const waiting = [...starts];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue;
    if (!files.has(path)) {
      lost.push(path);
      continue;
    }
    found.add(path);
    if (!path.endsWith(".js")) continue;
    for (const { fileName } of ts.preProcessFile(textOf(path), true, true).importedFiles) {
      if (fileName.startsWith(".")) waiting.push(posix.join(posix.dirname(path), fileName));
      else if (!fileName.startsWith("node:") && !builtinModules.includes(fileName) && fileName !== "electron")
        packages.add(
          fileName
            .split("/")
            .slice(0, fileName.startsWith("@") ? 2 : 1)
            .join("/"),
        );
    }
  }
  return { found, packages, lost };
}

/** Read by compilers, by no program. */
const headersOnly = ["node-addon-api"];

/** Packages, and what they depend on, that are not in the archive. */
function missingPackages(names: Iterable<string>): string[] {
  const missing: string[] = [];
  const seen = new Set<string>();
  const look = (name: string, from: string) => {
    const folders = [from, ""].map((base) => `${base}/node_modules/${name}`);
    const place = folders.find((each) => files.has(`${each}/package.json`));
    if (place === undefined) return void missing.push(`${name} (for ${from || "Rushes"})`);
    if (seen.has(place)) return;
    seen.add(place);
    const { dependencies = {} } = JSON.parse(textOf(`${place}/package.json`)) as {
      dependencies?: Record<string, string>;
    };
    for (const dependency of Object.keys(dependencies)) if (!headersOnly.includes(dependency)) look(dependency, place);
  };
  for (const name of names) look(name, "");
  return missing;
}

describe("the program", () => {
  test("has its fuses: no plain Node, no options from outside, nothing but the archive", async () => {
    const wire = await getCurrentFuseWire(join(packed, "rushes"));
    const state = (fuse: FuseV1Options) => String.fromCharCode(Number(wire[fuse])) === "1";
    for (const fuse of [
      FuseV1Options.RunAsNode,
      FuseV1Options.EnableNodeOptionsEnvironmentVariable,
      FuseV1Options.EnableNodeCliInspectArguments,
      FuseV1Options.GrantFileProtocolExtraPrivileges,
    ])
      expect(state(fuse), FuseV1Options[fuse]).toBe(false);
    for (const fuse of [FuseV1Options.OnlyLoadAppFromAsar, FuseV1Options.EnableEmbeddedAsarIntegrityValidation])
      expect(state(fuse), FuseV1Options[fuse]).toBe(true);
  });

  test("is packed for the Electron its types are of", () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    expect(readFileSync(join(root, "electron-builder.yml"), "utf8")).toContain(
      `electronVersion: ${devDependencies["electron"]}\n`,
    );
  });
});
