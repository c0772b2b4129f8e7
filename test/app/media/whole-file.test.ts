// Files that appear whole or not at all, and posters.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decode } from "fast-png";
import { posterBytes } from "../../../app/media/poster.ts";
import {
  addFile,
  addStreamedFile,
  removePartialFiles,
  removePartialsOf,
  replaceFile,
} from "../../../app/media/whole-file.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-files-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const content = (text: string) => new TextEncoder().encode(text);
const read = (name: string) => readFileSync(join(folder, name), "utf8");

describe("whole files", () => {
  test("a taken name gets -2, then -3; nothing is overwritten and nothing else is left", async () => {
    const wanted = join(folder, "clip.mp4");
    const claimed: string[] = [];
    expect(await addFile(wanted, content("one"))).toBe(wanted);
    expect(await addFile(wanted, content("two"))).toBe(join(folder, "clip-2.mp4"));
    expect(await addFile(wanted, content("three"), (path) => void claimed.push(path))).toBe(join(folder, "clip-3.mp4"));
    expect(claimed.at(-1)).toBe(join(folder, "clip-3.mp4"));
    expect(readdirSync(folder).sort()).toEqual(["clip-2.mp4", "clip-3.mp4", "clip.mp4"]);
    expect([read("clip.mp4"), read("clip-2.mp4"), read("clip-3.mp4")]).toEqual(["one", "two", "three"]);
  });

  test("twenty writers of one name lose nothing", async () => {
    const wanted = join(folder, "clip.mp4");
    const paths = await Promise.all(
      Array.from({ length: 20 }, (_, index) => addFile(wanted, content(`${index}`)).catch(() => "lost")),
    );
    expect(new Set(paths).size).toBe(20);
    expect(new Set(readdirSync(folder).map(read)).size).toBe(20);
  });

  test("a file of the user's choice is replaced, folders on the way are made", async () => {
    const path = join(folder, "a", "b", "mine.mp4");
    await replaceFile(path, content("old"));
    await replaceFile(path, content("new"));
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(readdirSync(join(folder, "a", "b"))).toEqual(["mine.mp4"]);
  });

  test("a name may be as long as the file system takes", async () => {
    for (const name of [`${"a".repeat(246)}.mp4`, "红".repeat(85), "🎈".repeat(60)]) {
      const path = join(folder, name);
      expect(await addFile(path, content("one"))).toBe(path);
      await replaceFile(path, content("two"));
      expect(read(name)).toBe("two");
    }
    expect(readdirSync(folder)).toHaveLength(3);
  });

  test("what an ended writer left of one file goes, however long its name; another's stays", async () => {
    const names = ["clip.mp4", `${"a".repeat(240)}-1.mp4`, `${"a".repeat(240)}-2.mp4`];
    const left: string[] = [];
    for (const name of names) {
      let partial = "";
      const failed = addStreamedFile(join(folder, name), async () => {
        partial = readdirSync(folder).find((each) => !left.includes(each))!;
        return Promise.reject(new Error("full"));
      });
      await expect(failed).rejects.toThrow();
      // As a writer leaves it that was killed.
      writeFileSync(join(folder, partial), "half");
      left.push(partial);
    }
    for (const [index, name] of names.entries()) {
      expect(readdirSync(folder)).toHaveLength(3 - index);
      await removePartialsOf(join(folder, name));
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a folder in the way is file.unwritable and leaves nothing", async () => {
    mkdirSync(join(folder, "taken.mp4", "inside"), { recursive: true });
    await expect(replaceFile(join(folder, "taken.mp4"), content("x"))).rejects.toMatchObject({
      code: "file.unwritable",
    });
    writeFileSync(join(folder, "file"), "");
    await expect(addFile(join(folder, "file", "clip.mp4"), content("x"))).rejects.toMatchObject({
      code: "file.unwritable",
    });
    expect(readdirSync(folder).sort()).toEqual(["file", "taken.mp4"]);
  });

  test("remains of ended writers are removed, other files stay", async () => {
    writeFileSync(join(folder, ".clip.mp4.123.partial"), "half");
    writeFileSync(join(folder, "clip.mp4"), "whole");
    await removePartialFiles(folder);
    await removePartialFiles(join(folder, "none"));
    expect(readdirSync(folder)).toEqual(["clip.mp4"]);
  });

  test("a full disk is disk.full and leaves nothing", async ({ skip }) => {
    const mount = join(folder, "small");
    mkdirSync(mount);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], { stdio: "ignore" });
    } catch {
      skip("no right to mount a small file system");
    }
    try {
      const failure = addFile(join(mount, "clip.mp4"), new Uint8Array(1 << 20));
      await expect(failure).rejects.toMatchObject({ code: "disk.full", neededBytes: 1 << 20 });
      expect(readdirSync(mount)).toEqual([]);
    } finally {
      execFileSync("umount", [mount]);
    }
  });
});

test("a poster is the picture, byte for byte", async () => {
  const rgb = Uint8Array.from({ length: 5 * 3 * 3 }, (_, index) => (index * 37) & 255);
  const decoded = decode(await posterBytes({ rgb, width: 5, height: 3 }));
  expect(decoded).toMatchObject({ width: 5, height: 3, channels: 3, depth: 8 });
  expect([...decoded.data]).toEqual([...rgb]);
});
