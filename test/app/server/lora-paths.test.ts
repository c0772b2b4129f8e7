// LoRA files over HTTP: names for everybody, paths inside the folders of the server only, whichever way they come in.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Draft } from "../../../contract/channels/generate.ts";
import { asRushesError } from "../../../contract/errors.ts";
import type { Lora, Settings } from "../../../contract/settings/derive.ts";
import { Plumbing } from "../engine/plumbing.ts";
import { ServeProcess } from "./serve-process.ts";

let plumbing: Plumbing;
let server: ServeProcess;
/** Where clients may name paths, and where not. */
let root: string;
let outside: string;
/** A LoRA that no client may name. */
let secret: string;
beforeAll(async () => {
  plumbing = new Plumbing();
  root = mkdtempSync(join(tmpdir(), "rushes-root-"));
  outside = mkdtempSync(join(tmpdir(), "rushes-outside-"));
  secret = join(outside, "secret-lora.safetensors");
  writeFileSync(secret, "");
  const { environment, library } = plumbing;
  server = await ServeProcess.start({ words: ["--root", root], environment, library });
  mkdirSync(join(library, "loras"), { recursive: true });
  writeFileSync(join(library, "loras", "night-lora.safetensors"), "");
});
afterAll(async () => {
  await server?.remove();
  plumbing.remove();
  for (const folder of [root, outside]) rmSync(folder, { recursive: true, force: true });
});

const lora = (file: string): Lora => ({ file, strength: 1, expert: "both" });
const draft = (...files: string[]): Draft => ({ values: { prompt: "A red ball", loras: files.map(lora) } });
const add = (...drafts: Draft[]) => server.request("queue:add", { drafts });
const problems = async (given: Draft) => (await server.request("generate:check", { draft: given })).problems;
const jobs = async () => (await server.request("history:find", { filter: {} })).ids.length;

async function refusal(given: Promise<unknown>): Promise<string> {
  return given.then(
    () => "taken",
    (error: unknown) => asRushesError(error).code,
  );
}

test("a name means a file of the library, and a path one inside the roots", async () => {
  const inRoot = join(root, "root-lora.pth");
  writeFileSync(inRoot, "");
  const own = join(server.library, "loras", "night-lora.safetensors");
  const { jobs: made } = await add(draft("night-lora"), draft(inRoot), draft(own));
  expect(made.map(({ settings }) => settings.loras[0]?.file)).toEqual([own, inRoot, own]);
  for (const file of ["night-lora", inRoot, own]) expect(await problems(draft(file)), file).toEqual([]);
});

test("one that the owner linked into the library is used by its name, and again by what a job recorded", async () => {
  const link = join(server.library, "loras", "linked-lora.safetensors");
  symlinkSync(secret, link);
  const { jobs: made } = await add(draft("linked-lora"));
  expect(made[0]?.settings.loras).toEqual([lora(link)]);
  expect(await problems(draft(link))).toEqual([]);
});

test("what lies elsewhere is refused in a draft, with the same words whether it is there or not", async () => {
  symlinkSync(secret, join(root, "link-lora.pth"));
  symlinkSync(outside, join(root, "folder"));
  const before = await jobs();
  for (const file of [
    secret,
    join(outside, "none-lora.pth"),
    join(root, "link-lora.pth"),
    join(root, "folder", basename(secret)),
    `${root}/../${basename(outside)}/${basename(secret)}`,
    `${server.library}/loras/../../../${basename(outside)}/${basename(secret)}`,
    `../../${basename(outside)}/${basename(secret)}`,
    `file://${secret}`,
    `~/${basename(secret)}`,
    "./package.json",
    "/etc/passwd",
    "/",
  ]) {
    expect(await refusal(add(draft(file))), file).toBe("path.refused");
    expect(await problems(draft(file)), file).toEqual([
      {
        id: "loras",
        sentence: "This file or folder may not be used from here.",
        advice: expect.stringContaining("--root") as string,
      },
    ]);
  }
  for (const file of ["package.json", "..", "."]) expect(await refusal(add(draft(file))), file).toBe("lora.missing");
  expect(await refusal(add(draft("night-lora"), draft(secret)))).toBe("path.refused");
  expect(await jobs()).toBe(before);
});

test("no other way leads there: presets, imported ones, lists of prompts, changed jobs, and a bad picture beside it", async () => {
  const settings: Partial<Settings> = { loras: [lora(secret)] };
  const { preset } = await server.request("presets:save", { name: "Away", settings });
  const text = JSON.stringify({ name: "Brought", catalogueVersion: 1, settings });
  const imported = await server.request("presets:import", { fileName: "brought.json", text });
  const yaml = await server.request("presets:import", { fileName: "config.yaml", text: `lora: ${secret}:0.5\n` });
  const copied = await server.request("presets:duplicate", { id: preset.id });
  mkdirSync(join(server.library, "presets"), { recursive: true });
  writeFileSync(join(server.library, "presets", "by-hand.json"), JSON.stringify(settings));
  const ids = [preset.id, imported.preset.id, yaml.preset.id, copied.preset.id, "by-hand"];
  const values = { prompt: "A red ball" };
  for (const presetId of ids) {
    expect(await refusal(add({ values, presetId })), presetId).toBe("path.refused");
    expect((await problems({ values, presetId }))[0]?.sentence, presetId).toMatch(/may not be used from here/);
  }
  const { drafts } = await server.request("generate:expand", { text: `prompt,lora\na ball,${secret}\n`, form: "csv" });
  expect(drafts[0]?.values.loras).toEqual([lora(secret)]);
  expect(await refusal(add(...drafts))).toBe("path.refused");

  await server.request("queue:pause", {});
  const { jobs: waiting } = await add(draft("night-lora"));
  const jobId = waiting[0]!.id;
  expect(await refusal(server.request("queue:edit", { jobId, draft: draft(secret) }))).toBe("path.refused");
  expect(await refusal(server.request("queue:edit", { jobId, draft: { values, presetId: preset.id } }))).toBe(
    "path.refused",
  );
  for (const image of [{ path: "/etc/passwd" }, { uploadId: "none" }]) {
    const both: Draft = { ...draft(secret), image };
    expect(await refusal(add(both))).not.toBe("taken");
    expect((await problems(both)).map(({ id }) => id)).toContain("loras");
    await problems({ values, presetId: preset.id, image }).then((found) =>
      expect(found.map(({ id }) => id)).toContain("loras"),
    );
  }
  expect(plumbing.notes().filter((note) => note.includes("secret"))).toEqual([]);
});

test("a value that is no list of files is answered in a sentence", async () => {
  for (const loras of ["x", 3, {}, [null], [3], [{}], [{ file: secret }], [[secret]], ["a"], [lora("a\0b")]]) {
    const bad = { values: { prompt: "A red ball", loras } } as unknown as Draft;
    expect(["settings.invalid", "lora.missing", "request.invalid"], JSON.stringify(loras)).toContain(
      await refusal(add(bad)),
    );
    await server.request("generate:check", { draft: bad }).catch((error: unknown) => {
      expect(asRushesError(error).code).toBe("request.invalid");
    });
  }
  expect(readFileSync(join(server.library, "logs", "rushes.log"), "utf8")).not.toContain("internal");
});

test("a file in a folder within is called by its name, and by what a job recorded", async () => {
  const within = join(server.library, "loras", "styles", "by hand");
  mkdirSync(within, { recursive: true });
  const own = join(within, "deep-lora.safetensors");
  writeFileSync(own, "");
  writeFileSync(join(within, "night-lora.safetensors"), "");
  const { jobs: made } = await add(draft("deep-lora"), draft(own), draft("night-lora"));
  const upper = join(server.library, "loras", "night-lora.safetensors");
  expect(made.map(({ settings }) => settings.loras[0]?.file)).toEqual([own, own, upper]);
  for (const model of ["demo", null]) {
    const { loras } = await server.request("models:loras", { model });
    expect(loras.filter(({ name }) => /deep-lora|night-lora/.test(name)).map(({ path }) => path)).toEqual([upper, own]);
  }
  expect(await refusal(add(draft(join(within, "gone.safetensors"))))).toBe("lora.missing");
});

test("the list holds names, and the folder where people put their own", async () => {
  const { loras, folder } = await server.request("models:loras", { model: "demo" });
  expect(folder).toBe(join(server.library, "loras"));
  expect(loras.find(({ name }) => name === "night-lora.safetensors")).toMatchObject({ rank: 4, problem: null });
  for (const model of ["../../etc", "/etc", ""])
    expect((await server.request("models:loras", { model })).folder, model).toBe(folder);
});
