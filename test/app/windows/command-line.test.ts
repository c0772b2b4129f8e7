// What the desktop program makes of its words, alone and at its start.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { commandNames } from "../../../app/cli/command-names.ts";
import { ownWords, readCommandLine } from "../../../app/windows/command-line.ts";

let folder: string;
let clip: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-words-"));
  clip = join(folder, "a clip.mp4");
  writeFileSync(clip, "");
  writeFileSync(join(folder, "-a.mp4"), "");
  mkdirSync(join(folder, "history"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (...words: string[]) => readCommandLine(words, { folder, version: "1.2.3", commands: commandNames });
const window = { kind: "window", library: undefined, files: [] };

test.each([
  ["installed", ["/usr/bin/rushes", "--library", "x"], true, ["--library", "x"]],
  ["on the sources", ["electron", "/rushes", "--library", "x"], false, ["--library", "x"]],
  ["on the sources, with a word for Electron", ["electron", "--no-sandbox", "/rushes", "x"], false, ["x"]],
])("the words of a program %s", (_name, argv, isPackaged, words) => expect(ownWords(argv, isPackaged)).toEqual(words));

describe("files", () => {
  test("are those that are there, in full; Chromium's switches are passed over", () => {
    expect(read()).toEqual(window);
    const words = ["--inspect=0", "-psn_0_1h", "--no-sandbox", "a clip.mp4", "", "gone.mp4", "-x", clip];
    expect(read(...words)).toEqual({ ...window, files: [clip, clip] });
    expect(read("--", "-a.mp4", "--help")).toEqual({ ...window, files: [join(folder, "-a.mp4")] });
  });

  test("may be addresses", () => {
    expect(read(pathToFileURL(clip).href, "file:///no/such.mp4", "file://elsewhere/x", "file:///%zz")).toEqual({
      ...window,
      files: [clip],
    });
  });

  test("come after the launcher's word", () => {
    expect(read("window", clip)).toEqual({ ...window, files: [clip] });
  });

  test("of a command's name are files", () => {
    expect(read("history")).toEqual({ ...window, files: [join(folder, "history")] });
  });

  test("are at most fifty", () => {
    expect(read(...Array.from({ length: 60 }, () => clip))).toMatchObject({ files: { length: 50 } });
  });
});

describe("--library", () => {
  test("names a folder, from the current one where it is relative", () => {
    expect(read("--library", "other", clip)).toEqual({ ...window, library: join(folder, "other"), files: [clip] });
    expect(read(clip, "--library=/b")).toEqual({ ...window, library: "/b", files: [clip] });
    expect(read("window", "--library", "serve")).toEqual({ ...window, library: join(folder, "serve") });
    expect(read("--library=./-b")).toEqual({ ...window, library: join(folder, "-b") });
  });

  test.each([[["--library"]], [["--library", "--no-sandbox"]], [["--library="]]])("needs one: %j", (words) =>
    expect(read(...words)).toMatchObject({ kind: "refused", sentence: "--library needs the path of a folder." }),
  );
});

test("questions are answered in text", () => {
  for (const words of [["--help"], ["-h"], ["help"], ["window", "--help"], ["serve", "--help"]])
    expect(read(...words)).toMatchObject({ kind: "text", text: expect.stringContaining("--library FOLDER") as string });
  for (const word of ["--version", "-V"]) expect(read(word)).toEqual({ kind: "text", text: "1.2.3\n" });
});

test("commands of the command line are refused", () => {
  for (const name of commandNames.filter((name) => name !== "history"))
    expect(read("--json", name, "A red ball")).toMatchObject({
      kind: "refused",
      sentence: expect.stringContaining(`\`${name}\``) as string,
      advice: expect.stringContaining(`\`./rushes ${name}\``) as string,
    });
});

describe("the program", () => {
  const argv = process.argv;
  afterEach(() => {
    process.argv = argv;
    vi.restoreAllMocks();
  });

  async function start(...words: string[]) {
    vi.resetModules();
    const { app, electron } = await import("./electron-stand-in.ts");
    const said: string[] = [];
    for (const pipe of [process.stdout, process.stderr])
      vi.spyOn(pipe, "write").mockImplementation((text) => said.push(String(text)) > 0);
    process.argv = ["electron", "/rushes", ...words];
    await import("../../../app/main.ts");
    vi.restoreAllMocks();
    return { code: app.exitCode, said: said.join(""), locked: electron.lockData !== null };
  }

  test("ends with 2 on a command, before it looks for another one of its kind", async () => {
    const { code, said, locked } = await start("serve");
    expect({ code, locked }).toEqual({ code: 2, locked: false });
    expect(said.trimEnd().split("\n")).toHaveLength(2);
  });

  test("ends with 0 after an answer", async () => {
    expect(await start("--version")).toEqual({ code: 0, said: "0.1.0\n", locked: false });
  });
});
