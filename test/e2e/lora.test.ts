// LoRAs with the real engine: those that come with the demo model, by name and by path, at the command line and in the
// library. Runs the built program.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { projectRoot, type RunOptions, runRushes } from "../app/cli/run-rushes.ts";
import { openStudio } from "../../app/studio/open-studio.ts";
import { writeSparseSafetensors } from "../sparse-model.ts";
import { readFrames } from "../video-frames.ts";

const folder = mkdtempSync(join(tmpdir(), "rushes-lora-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const library = join(folder, "library");
const options: RunOptions = { library, cwd: folder, built: true };
const demo = join(projectRoot, "models/demo");
const night = join(demo, "loras/night-palette.safetensors");
const small = ["--resolution", "64x64", "--num-frames", "5", "--seed", "7"];

interface Made {
  id: number;
  path: string;
  settings: { loras: { file: string; strength: number; expert: string }[] };
  warnings: string[];
}

async function made(...words: string[]): Promise<Made> {
  const line = ["generate", "a red ball bounces", ...small, ...words, "--json"];
  const { code, stdout, stderr } = await runRushes(line, options);
  expect(code, stderr + stdout).toBe(0);
  return (JSON.parse(stdout) as { videos: Made[] }).videos[0]!;
}

async function refused(...words: string[]): Promise<string> {
  const { code, stderr } = await runRushes(["generate", "a red ball bounces", ...small, ...words], options);
  expect(code).toBe(2);
  return stderr;
}

/** A LoRA of rank 4 for layers of that width, which changes nothing. */
function writeLora(name: string, width: number, layers: readonly string[] = []): string {
  const path = join(folder, `${name}.safetensors`);
  const tensors = ["blocks.0.self_attn.q", ...layers].flatMap((layer) => [
    [`diffusion_model.${layer}.lora_A.weight`, [4, width]] as const,
    [`diffusion_model.${layer}.lora_B.weight`, [width, 4]] as const,
  ]);
  writeSparseSafetensors(path, Object.fromEntries(tensors));
  return path;
}

/** The same LoRA under the names that kohya's trainers give. */
function writeInKohyaForm(from: string, to: string): void {
  const bytes = readFileSync(from);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const tensors = JSON.parse(bytes.toString("utf8", 8, end)) as Record<string, unknown>;
  const renamed = Object.entries(tensors).flatMap(([name, tensor]) => {
    const [, layer, side] = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name) ?? [];
    if (!layer) return [];
    return [[`lora_unet_${layer.replaceAll(".", "_")}.lora_${side === "A" ? "down" : "up"}.weight`, tensor]];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(renamed)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(to, Buffer.concat([length, header, bytes.subarray(end)]));
}

/** How far two videos are apart in their pixels, 0..1. */
function distance(one: Made, other: Made): number {
  const [a, b] = [readFrames(one.path).frames, readFrames(other.path).frames];
  const sums = a.map((frame, at) => frame.reduce((sum, value, index) => sum + Math.abs(value - b[at]![index]!), 0));
  return sums.reduce((sum, each) => sum + each, 0) / (a.length * a[0]!.length);
}

describe("at the command line", () => {
  test("a name is enough, a strength counts, and the same line makes the same video", async () => {
    const without = await made();
    const whole = await made("--loras", "night-palette");
    expect(whole.settings.loras).toEqual([{ file: night, strength: 1, expert: "both" }]);
    expect(whole.warnings.join()).not.toMatch(/left out/);
    expect(distance(without, whole)).toBeGreaterThan(0.01);
    expect(distance(whole, await made("--loras", "night-palette.safetensors:1"))).toBe(0);
    expect(distance(without, await made("--loras", "night-palette:0"))).toBe(0);
    const half = await made("--loras", "night-palette:0.5");
    expect(distance(without, half)).toBeGreaterThan(0.002);
    expect(distance(without, half)).toBeLessThan(distance(without, whole));
    expect(distance(without, await made())).toBe(0);
  });

  test("several go together, in any form, from any place", async () => {
    mkdirSync(join(library, "loras"), { recursive: true });
    writeInKohyaForm(night, join(folder, "here, too.safetensors"));
    copyFileSync(night, join(library, "loras", "own.safetensors"));
    const one = await made("--lora", "night-palette");
    expect(distance(one, await made("--lora", "here\\, too.safetensors"))).toBe(0);
    const both = await made("--lora", "here\\, too.safetensors", "--lora", "own:0.7");
    expect(both.settings.loras.map(({ file }) => file)).toEqual([
      join(folder, "here, too.safetensors"),
      join(library, "loras", "own.safetensors"),
    ]);
    expect(distance(one, both)).toBeGreaterThan(0.002);
    for (const format of ["--quant-linear=int8", "--quant-linear=off"])
      expect(distance(await made(format), await made(format, "--lora", "night-palette"))).toBeGreaterThan(0.002);
  });

  test("what is none is refused in a sentence", async () => {
    expect(await refused("--loras", "day-palette")).toMatch(/There is no LoRA day-palette\..*\/loras/s);
    expect(await refused("--loras", join(demo, "demo-vae.pth"))).toMatch(
      /demo-vae\.pth is a Wan VAE, and a LoRA is needed\./,
    );
    expect(await refused("--loras", "night-palette:high")).toMatch(/Demo has one transformer for all steps\./);
    expect(await refused("--loras", `night-palette,${night}`)).toMatch(/is given twice\./);
    expect(await refused("--loras", "night-palette:3")).toMatch(/strength from -2 to 2/);
    writeFileSync(join(folder, "broken.safetensors"), "words");
    expect(await refused("--loras", "broken.safetensors")).toMatch(/broken\.safetensors/);
    expect(await refused("--model", "demo", "--dit_path", night)).toMatch(
      /night-palette\.safetensors is a LoRA, and a Wan transformer is needed\./,
    );
    expect(await refused("--loras", writeLora("large", 1536))).toMatch(
      /large\.safetensors is a LoRA for another model/,
    );
  });

  test("what of one the model has no place for is left out, and said", async () => {
    const video = await made("--loras", writeLora("more", 256, ["blocks.99.self_attn.q"]));
    expect(video.warnings.join("\n")).toMatch(/more\.safetensors.* left out/);
  });

  test("inspect says what it is", async () => {
    const { code, stdout } = await runRushes(["inspect", night], options);
    expect(code).toBe(0);
    expect(stdout).toMatch(/LoRA of rank 4 on \d+ layers/);
  });
});

describe("in the studio", () => {
  test("those of the demo model are offered, planned with, and found again from a video", async () => {
    const video = await made("--loras", "night-palette:1.5");
    const studio = await openStudio({ libraryFolder: library });
    try {
      const offered = await studio.installedModels.loras("demo");
      expect(offered.filter(({ name }) => name.startsWith("night-"))).toMatchObject([
        { name: "night-palette.safetensors", rank: 4, problem: null },
      ]);
      const loras = [{ file: "night-palette", strength: 1, expert: "both" as const }];
      const check = await studio.form.check({ values: { prompt: "a red ball bounces", loras } });
      expect(check).toMatchObject({ problems: [], refusal: null, plan: { fits: true } });
      const foreign = [{ file: writeLora("large", 1536), strength: 1, expert: "both" as const }];
      const values = { prompt: "a red ball bounces", loras: foreign };
      const allowedPath = (path: string) => Promise.resolve(path);
      expect(await studio.form.check({ values, allowedPath })).toMatchObject({
        problems: [{ id: "loras", sentence: expect.stringContaining("is a LoRA for another model") as string }],
        refusal: null,
        plan: { fits: true },
      });
      const restored = await studio.form.restoreVideo(video.path);
      expect(restored).toMatchObject({ settings: { loras: [{ file: night, strength: 1.5 }] }, notes: [] });
      expect(await studio.form.command({ jobId: video.id })).toContain(`--loras ${night}:1.5`);
    } finally {
      await studio.close();
    }
  });
});
