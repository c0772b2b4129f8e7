// rushes doctor and the models of a library: red where one cannot run, with what to do about it.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Plumbing } from "../engine/plumbing.ts";
import { runRushes } from "./run-rushes.ts";

let plumbing: Plumbing;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(() => {
  rmSync(plumbing.library, { recursive: true, force: true });
  mkdirSync(plumbing.library);
});

/** Adds a model of these files to the library, as the window does. */
function addModel(files: Partial<Record<"dit" | "vae" | "textEncoder" | "tokenizer", string>>): void {
  const parts = { vae: "vae.pth", textEncoder: "umt5.pth", tokenizer: "tokenizer.json" };
  const there = Object.fromEntries(Object.entries(parts).map(([role, name]) => [role, plumbing.file(name)]));
  const model = { id: "mine", name: "Mine", files: { dit: plumbing.file("dit.pth"), ...there, ...files } };
  writeFileSync(join(plumbing.library, "models.json"), JSON.stringify({ version: 1, models: [model] }));
}

async function report(): Promise<{ code: number | null; lines: string[] }> {
  const { code, stdout } = await runRushes(["doctor"], { library: plumbing.library });
  return { code, lines: stdout.split("\n") };
}

test("a model whose files are there is green", async () => {
  addModel({});
  const { code, lines } = await report();
  expect(lines).toContain(`green  Model     Mine, ${join(plumbing.folder, "dit.pth")}`);
  expect(code, lines.join("\n")).toBe(0);
});

test("a model whose transformer is gone is red, and the shipped ones stay green", async () => {
  const dit = join(plumbing.folder, "ejected/dit.pth");
  addModel({ dit });
  const { code, lines } = await report();
  const red = lines.findIndex((line) => line.startsWith("red "));
  expect(lines[red]).toContain(`Model     Mine: There is no file ${dit}.`);
  expect(lines[red + 1]?.trim()).toBe("Connect the disk it lies on, or forget the model under Models.");
  expect(lines.filter((line) => line.startsWith("red "))).toHaveLength(1);
  expect(lines.some((line) => line.startsWith("green  Model     Demo, "))).toBe(true);
  expect([code, lines.at(-2)]).toEqual([1, "Something is wrong: see the lines marked red."]);
});

test("a model with a part that was never found says which one, and needs no disk", async () => {
  addModel({ vae: "" });
  const { code, lines } = await report();
  const red = lines.findIndex((line) => line.startsWith("red "));
  expect(lines[red]).toMatch(/Mine: A Wan VAE that fits this model has not been found\. Add the file/);
  expect(lines[red + 1]).not.toMatch(/disk/);
  expect(code).toBe(1);
});
