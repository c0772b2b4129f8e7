// `import { open } from "rushes"`, as a program of somebody else's does it: from a folder of its own, typed.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectRoot } from "../app/cli/run-rushes.ts";
import { writeTinyImageModel } from "../tiny-image-model.ts";

const folder = mkdtempSync(join(tmpdir(), "rushes-library-"));
const library = join(folder, "films");
beforeAll(() => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(projectRoot, join(folder, "node_modules/rushes"));
  symlinkSync(join(projectRoot, "node_modules/@types"), join(folder, "node_modules/@types"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(name: string, source: string) {
  writeFileSync(join(folder, name), source);
  return spawnSync(process.execPath, [join(folder, name)], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, RUSHES_LIBRARY: library },
  });
}

describe("the library", () => {
  test("opens the demo model, makes a video and saves it", () => {
    const { status, stdout, stderr } = run(
      "make.ts",
      `import { open } from "rushes";
       const model = await open("demo", { quantLinear: "int8" });
       const stages: string[] = [];
       const video = await model.generate("A red ball bounces on a blue background",
         { numFrames: 5, numSteps: 1, resolution: "64x64", seed: 42 },
         { onProgress: ({ stage }) => stages.push(stage) });
       const path = await video.save("ball.mp4");
       const plan = await model.plan({ numFrames: 17 });
       await model.close();
       const { seed, frames, width, settings } = video;
       console.log(JSON.stringify({ path, seed, frames, width, settings, stages: [...new Set(stages)], peak: plan.peakBytes }));`,
    );
    expect(status, stderr).toBe(0);
    const result = JSON.parse(stdout) as { path: string; stages: string[]; peak: number };
    expect(result).toMatchObject({ seed: 42, frames: 5, width: 64, settings: { quantLinear: "int8", numSteps: 1 } });
    expect(result.stages).toContain("sample");
    expect(result.peak).toBeGreaterThan(0);
    expect(statSync(join(folder, "ball.mp4")).size).toBeGreaterThan(100);
    expect(readdirSync(join(library, "videos")).filter((name) => name.endsWith(".mp4"))).toHaveLength(1);
  });
  test("begins a video with a picture, by a model's own files", () => {
    const { high, low } = writeTinyImageModel(join(folder, "pictures"));
    const data = new Uint8Array(3 * 60 * 30).fill(200);
    writeFileSync(join(folder, "picture.png"), encode({ width: 60, height: 30, channels: 3, data }));
    const demo = join(projectRoot, "models/demo");
    const files = {
      ditPath: high,
      ditLowPath: low,
      vaePath: join(demo, "demo-vae.pth"),
      textEncoderPath: join(demo, "demo-umt5.pth"),
    };
    const { status, stdout, stderr } = run(
      "picture.ts",
      `import { open } from "rushes";
       const model = await open(${JSON.stringify(files)}, { resolution: "64x64", numFrames: 5, boundary: 0.8 });
       const codes: string[] = [];
       await model.generate("A ball rolls").catch((error: { code: string }) => codes.push(error.code));
       const { width, height, settings, stages } = await model.generate("A ball rolls", { image: "picture.png" });
       const wide = await model.generate("A ball rolls", { image: "picture.png", width: 80, height: 80 });
       await model.close();
       const own = [wide.width, wide.height];
       console.log(JSON.stringify({ codes, width, height, settings, stages: stages.map(({ stage }) => stage), own }));`,
    );
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      codes: ["model.unsupported"],
      width: 96,
      height: 48,
      settings: { mode: "i2v", boundary: 0.8 },
      stages: ["text", "image", "load", "sample", "decode", "save"],
      own: [80, 80],
    });
  });
  test("refuses in its errors' codes, cancels when told to, and leaves nothing half-written", () => {
    const { status, stdout, stderr } = run(
      "fail.ts",
      `import { open, RushesError } from "rushes";
       const codes: string[] = [];
       const failing = async (work: Promise<unknown>) => {
         try { await work; } catch (error) { codes.push(error instanceof RushesError ? error.code : String(error)); }
       };
       await failing(open("nothing"));
       await failing(open("demo", { numSteps: 9 }));
       const model = await open("demo");
       await failing(model.generate(""));
       await failing(model.generate("a ball", { numFrames: 12 }));
       await failing(model.generate("a ball", { numSamples: 2 }));
       await failing(model.generate("a ball", { resolution: "480p", numFrames: 81 }, { signal: AbortSignal.timeout(500) }));
       const tiny = { numFrames: 5, numSteps: 1, resolution: "64x64" } as const;
       const outcomes = await model.generateAll([{ prompt: "a ball", settings: { ...tiny, numSamples: 2, seed: 3 } }]);
       await failing(outcomes[0]!.video!.save("/proc/none/clip.mp4"));
       await model.close();
       console.log(JSON.stringify({ codes, seeds: outcomes.map(({ video }) => video?.seed) }));`,
    );
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      codes: [
        "model.unknown",
        "settings.invalid",
        "settings.invalid",
        "settings.invalid",
        "settings.invalid",
        "job.cancelled",
        "file.unwritable",
      ],
      seeds: [3, 4],
    });
  });
  test("is typed: a wrong setting does not compile", () => {
    const source = (settings: string) =>
      `import { open } from "rushes";
       const model = await open("demo", ${settings});
       const video = await model.generate("a ball", { numFrames: 17, seed: 42 });
       const path: string = await video.save("ball.mp4");
       console.log(path, video.stages[0]?.seconds.toFixed(1));`;
    const compile = (settings: string) => {
      writeFileSync(join(folder, "typed.ts"), source(settings));
      const words = [
        "--noEmit",
        "--module",
        "nodenext",
        "--target",
        "es2024",
        "--strict",
        "--types",
        "node",
        "typed.ts",
      ];
      return spawnSync(process.execPath, [join(projectRoot, "node_modules/typescript/bin/tsc"), ...words], {
        cwd: folder,
        encoding: "utf8",
      }).stdout;
    };
    expect(compile('{ quantLinear: "int8" }')).toBe("");
    expect(compile('{ quantLinear: "int9" }')).toContain('"int9"');
    expect(compile("{ quantLinaer: 1 }")).toContain("quantLinaer");
  });
});
