// What may be packed: an addon of the right kind that needs nothing foreign, and nothing older than its sources.
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Arch } from "electron-builder";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { beforePack } from "../../tools/before-pack.ts";
import { packingProblem, staleProblem, strangeLibraries } from "../../tools/check-packed-files.ts";
import { neededLibraries, targetOf } from "../../tools/native-binary.ts";
import { elf, elfNeeding, mach, windows } from "./binaries.ts";

const here = { platform: "linux", arch: "x64" };
const sources = ["addon/src/engine.cpp", "CMakeLists.txt", "app/main.ts", "app/ipc/serve.ts", "app/preload.ts"];
const furtherSources = ["contract/job.ts", "renderer/App.svelte"];
const built = ["out/app/main.js", "out/app/preload.cjs", "out/renderer/index.html"];
const addon = "build/Release/rushes.node";
let root: string;

/** A file of an age: whole seconds, since file systems round. */
function put(path: string, seconds: number, content: string | Buffer = ""): void {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, content);
  utimesSync(whole, seconds, seconds);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "rushes-packed-"));
  for (const path of [...sources, ...furtherSources]) put(path, 1000);
  for (const path of built) put(path, 2000);
  put(addon, 2000, elfNeeding(62, ["libgomp.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2"]));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("the first bytes of a library", () => {
  test.each([
    ["ELF, x86-64", elf(62), { platform: "linux", arch: "x64" }],
    ["ELF, AArch64", elf(183), { platform: "linux", arch: "arm64" }],
    ["ELF, RISC-V", elf(243), null],
    ["Mach-O, x86-64", mach(0x0100_0007), { platform: "darwin", arch: "x64" }],
    ["Mach-O, ARM64", mach(0x0100_000c), { platform: "darwin", arch: "arm64" }],
    ["Mach-O, PowerPC", mach(0x0100_0012), null],
    ["PE, x86-64", windows(0x8664), { platform: "win32", arch: "x64" }],
    ["PE, ARM64", windows(0xaa64), { platform: "win32", arch: "arm64" }],
    ["PE, 32 bits", windows(0x14c), null],
    ["MZ, whose PE head lies outside", windows(0x8664).subarray(0, 82), null],
    ["text", Buffer.from("#!/bin/sh\n".repeat(20)), null],
    ["part of a head", elf(62).subarray(0, 10), null],
    ["nothing", Buffer.alloc(0), null],
  ])("%s", (_name, bytes, target) => expect(targetOf(bytes)).toEqual(target));

  test("lead to the libraries it needs", () => {
    const needed = ["libvpx.so.7", "libc.so.6"];
    expect(neededLibraries(elfNeeding(62, needed))).toEqual(needed);
    expect(neededLibraries(elf(62))).toEqual([]);
    expect(neededLibraries(mach(0x0100_0007))).toEqual([]);
  });
});

test("an addon may need the C library and OpenMP, no codec and no C++ runtime", () => {
  const system = [
    "libgomp.so.1",
    "libm.so.6",
    "libc.so.6",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
    "libdl.so.2",
  ];
  expect(strangeLibraries(system)).toEqual([]);
  const strange = ["libopenh264.so.7", "libvpx.so.7", "libstdc++.so.6", "libgcc_s.so.1", "libcuda.so.1"];
  expect(strangeLibraries([...strange, ...system])).toEqual(strange);
});

describe("a tree", () => {
  test("that was built may be packed", () => expect(packingProblem(root, here)).toBeNull());

  test("of a fresh clone, whose files are all of one time, may be packed once it is built", () => {
    for (const path of [...sources, ...furtherSources]) put(path, 2000);
    expect(packingProblem(root, here)).toBeNull();
  });

  test("may not be packed without the addon or what is shown", () => {
    for (const path of [addon, ...built]) {
      rmSync(join(root, path));
      expect(packingProblem(root, here)).toBe(
        `${join(root, path)} is not there; \`npm run pack\` builds everything anew.`,
      );
      put(path, 2000, elf(62));
    }
  });

  test.each([...sources, ...furtherSources])("may not be packed when %s was changed since", (path) => {
    put(path, 3000);
    expect(packingProblem(root, here)).toContain(`is older than ${join(root, path)}; \`npm run pack\``);
  });

  test("may not be packed with an addon of another system or processor, or with none at all", () => {
    for (const [bytes, said] of [
      [elf(183), "built for linux on arm64"],
      [mach(0x0100_0007), "built for darwin on x64"],
      [windows(0x8664), "built for win32 on x64"],
      [Buffer.from("not a library"), "no library"],
    ] as const) {
      put(addon, 2000, bytes);
      expect(packingProblem(root, here)).toContain(`is ${said}, not for linux on x64`);
    }
    put(addon, 2000, elf(183));
    expect(packingProblem(root, { platform: "linux", arch: "arm64" })).toBeNull();
  });

  test("may not be packed with an addon that other systems cannot load", () => {
    put(addon, 2000, elfNeeding(62, ["libvpx.so.7", "libc.so.6", "libopenh264.so.7"]));
    expect(packingProblem(root, here)).toContain("needs libvpx.so.7, libopenh264.so.7, which other systems");
  });

  test.each(["win32", "darwin"])("is not packed for %s before the engine builds there", (platform) => {
    put(addon, 2000, platform === "win32" ? windows(0x8664) : mach(0x0100_0007));
    expect(packingProblem(root, { platform, arch: "x64" })).toContain(`not built for ${platform} yet`);
  });
});

test("a folder's files count, its own time does not", () => {
  utimesSync(join(root, "addon/src"), 9000, 9000);
  expect(staleProblem(join(root, addon), [join(root, "addon")])).toBeNull();
  put("addon/src/deep/er.h", 2001);
  expect(staleProblem(join(root, addon), [join(root, "addon")])).toContain("er.h");
});

test("the hook throws the sentence", () => {
  put(addon, 2000, elf(183));
  const packing = { electronPlatformName: "linux", arch: Arch.x64, packager: { projectDir: root } };
  expect(() => beforePack(packing)).toThrow("not for linux on x64");
});
