// Finding models, refusing files that do not fit, automatic choices, fingerprints.
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Inspection } from "../../../app/engine/addon.ts";
import { addedFolders, addedModels, addModels, forgetModels } from "../../../app/models/added-models.ts";
import { chooseAutomatic } from "../../../app/models/automatic-choices.ts";
import { findModel, listModels } from "../../../app/models/catalogue.ts";
import { findChosenModel, manifestOf, type Model } from "../../../app/models/find-model.ts";
import { embeddingName, fingerprint } from "../../../app/models/fingerprint.ts";
import { readManifest, readTextLength } from "../../../app/models/manifest.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-models-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content = ""): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const header = (changes: Partial<Inspection>): Inspection => ({
  path: "/m/x.pth",
  container: "pth",
  bytes: 1,
  family: "wan-dit",
  architecture: "wan2.1-t2v",
  layout: "original",
  prefix: "",
  sizes: {},
  tensors: 1,
  parameters: 1,
  dtypes: {},
  quantization: "none",
  quantizedLayers: 0,
  sla: true,
  missing: [],
  unexpected: [],
  wrongShape: [],
  complete: true,
  uses: [],
  refused: "",
  summary: "",
  ...changes,
});

const headerOf = async (path: string) => {
  const name = basename(path);
  const family = name.includes("vae") ? "wan-vae" : name.includes("umt5") ? "umt5" : "wan-dit";
  return header({ path, family, sla: !name.includes("plain") });
};

describe("adding models", () => {
  test("keeps what was added while the headers of a slow disk were read", async () => {
    for (const name of ["slow", "quick"]) {
      mkdirSync(join(folder, name));
      file(`${name}/${name}-dit.pth`);
    }
    let read = () => {};
    const reading = new Promise<void>((resolve) => (read = resolve));
    const slow = addModels(folder, join(folder, "slow"), async (path) => {
      await reading;
      return headerOf(path);
    });
    await addModels(folder, join(folder, "quick"), headerOf);
    read();
    await slow;
    expect(addedModels(folder).map(({ id }) => id)).toEqual(["quick-dit", "slow-dit"]);
    expect(addedFolders(folder)).toEqual([join(folder, "quick"), join(folder, "slow")]);
    const forgotten = ["quick", "slow"].map((name) => forgetModels(folder, { folder: join(folder, name) }));
    await Promise.all(forgotten);
    expect(addedModels(folder)).toEqual([]);
  });
});

describe("the catalogue", () => {
  test("has the demo model that is shipped", () => {
    const demo = findModel("demo");
    expect(demo).toMatchObject({ id: "demo", name: "Demo", textLength: 64, capabilities: ["distilled", "sla", "t2v", "i2v", "lora"] });
    expect(demo?.sizes[0]).toEqual({ width: 128, height: 128 });
    expect(demo?.defaults).toMatchObject({ numFrames: 17, numSteps: 4 });
    expect(basename(demo?.files.dit ?? "")).toBe("demo-t2v-quant.pth");
    expect(basename(demo?.dit16 ?? "")).toBe("demo-t2v.pth");
    expect(listModels().map(({ id }) => id)).toContain("demo");
    expect(findModel("DEMO")?.id).toBe("demo");
    expect(findModel("auto")?.id).toBe("demo");
    expect(findModel("wan9")).toBeNull();
  });

  test("a manifest that is damaged is told from one that is not there", () => {
    file("manifest.json", "{");
    expect(() => readManifest(folder, "x")).toThrow(expect.objectContaining({ code: "checkpoint.corrupt" }));
    file("manifest.json", '{"name": "X"}');
    expect(() => readManifest(folder, "x")).toThrow(expect.objectContaining({ code: "checkpoint.corrupt" }));
  });

  test("the text length stands in config.json beside the files, else it is 512", () => {
    const dit = file("dit.pth");
    expect(readTextLength([dit])).toBe(512);
    file("config.json", '{"model_type": "t2v"}');
    expect(readTextLength([dit])).toBe(512);
    file("config.json", '{"text_len": 64}');
    expect(readTextLength([dit])).toBe(64);
    file("config.json", '{"text_len": -1}');
    expect(() => readTextLength([dit])).toThrow(expect.objectContaining({ code: "checkpoint.corrupt" }));
  });
});

describe("a choice of files", () => {
  test("keeps what a named model brings and replaces what was given", () => {
    const dit = file("mine.pth");
    const demo = findModel("demo");
    const manifest = manifestOf({ name: "demo", ditPath: dit });
    expect(manifest.files).toMatchObject({ dit, vae: demo?.files.vae, textEncoder: demo?.files.textEncoder });
    expect(manifest.dit16).toBeUndefined();
    expect(manifest.id).toBe("mine");
    expect(manifestOf({ vaePath: file("vae.pth") })).toMatchObject({ id: "demo", dit16: demo?.dit16 });
  });

  test("keeps a named model's tokenizer, wherever it lies, unless the text encoder is another one", () => {
    const [dit, vae, textEncoder, tokenizer] = [file("d.pth"), file("v.pth"), file("t.pth"), file("words.json")];
    const files = { dit, vae, textEncoder, tokenizer };
    const added = [{ ...findModel("demo")!, id: "apart", files }];
    expect(manifestOf({ name: "apart", vaePath: file("other.pth") }, added).files.tokenizer).toBe(tokenizer);
    expect(manifestOf({ name: "apart", textEncoderPath: file("e.pth") }, added).files.tokenizer).toBe("");
  });

  test("needs all its files when no model brings them; the name is a label then", () => {
    const [dit, vae, textEncoder] = [file("dit.pth"), file("vae.pth"), file("umt5.pth")];
    expect(() => manifestOf({ ditPath: dit })).toThrow(expect.objectContaining({ code: "settings.invalid" }));
    expect(() => manifestOf({ ditPath: dit, vaePath: vae })).toThrow(/text encoder/);
    const choice = { name: "Wan2.1-1.3B", ditPath: dit, vaePath: vae, textEncoderPath: textEncoder };
    expect(manifestOf(choice)).toMatchObject({ id: "Wan2.1-1.3B", textLength: 512, files: { tokenizer: "" } });
    const tokenizer = file("tokenizer.json");
    expect(manifestOf(choice).files.tokenizer).toBe(tokenizer);
    expect(manifestOf({ ...choice, tokenizerPath: file("own.json") }).files.tokenizer).toBe(join(folder, "own.json"));
  });

  test("an unknown name without files is model.unknown, with a word on models that are only not here", () => {
    expect(() => manifestOf({ name: "wan9" })).toThrow(expect.objectContaining({ code: "model.unknown" }));
    expect(() => manifestOf({ name: "Wan2.1-1.3B" })).toThrow(/not on this machine/);
  });

  test.each([
    ["a file that is not there", "none.pth", {}, "checkpoint.missing", /There is no file/],
    ["a folder", "folder", {}, "checkpoint.unsupported", /is a folder/],
    ["a VAE in the transformer's place", "dit.pth", { family: "wan-vae" }, "checkpoint.unsupported", /is a Wan VAE/],
    ["something unknown", "dit.pth", { family: "" }, "checkpoint.unsupported", /not a file Rushes knows/],
    ["a kind that is not run", "dit.pth", { refused: "VACE is not supported" }, "checkpoint.unsupported", /VACE/],
    [
      "a part of a model",
      "dit.pth",
      { complete: false, missing: ["a", "b", "c"], wrongShape: ["d"] },
      "checkpoint.incomplete",
      /not a complete Wan transformer: 3 tensors missing \(a, b, \.\.\.\); 1 tensors of the wrong shape \(d\)/,
    ],
  ])("%s is refused", async (_what, name, changes, code, sentence) => {
    mkdirSync(join(folder, "folder"));
    file("dit.pth");
    const choice = { ditPath: join(folder, name), vaePath: file("vae.pth"), textEncoderPath: file("umt5.pth") };
    const inspect = async (path: string) => ({
      ...(await headerOf(path)),
      ...(path === choice.ditPath ? (changes as Partial<Inspection>) : {}),
    });
    await expect(findChosenModel(choice, inspect)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(sentence) as string,
    });
  });

  test("learns from the headers whether there are SLA weights", async () => {
    const parts = { vaePath: file("vae.pth"), textEncoderPath: file("umt5.pth") };
    const withSla = await findChosenModel({ ...parts, ditPath: file("dit.pth") }, headerOf);
    const without = await findChosenModel({ ...parts, ditPath: file("plain.pth") }, headerOf);
    expect(withSla.capabilities).toEqual(["distilled", "sla", "t2v", "lora"]);
    expect(without.capabilities).toEqual(["distilled", "t2v", "lora"]);
  });
});

describe("automatic choices", () => {
  const quant = header({ path: "/m/a-quant.pth", quantizedLayers: 80 });
  const plain = header({ path: "/m/a.pth" });
  const model = (dit: Inspection, dit16: Inspection | null = null): Pick<Model, "files" | "dit16" | "inspections"> => ({
    files: { dit: dit.path, vae: "", textEncoder: "", tokenizer: "" },
    ...(dit16 ? { dit16: dit16.path } : {}),
    inspections: { dit, dit16, ditLow: null, ditLow16: null, vae: dit, textEncoder: dit },
  });
  const auto = { quantLinear: "auto", attentionType: "auto" } as const;

  test.each([
    ["auto", quant, null, "int8", quant.path],
    ["auto", quant, plain, "int8", quant.path],
    ["auto", plain, null, "off", plain.path],
    ["int8", quant, plain, "int8", quant.path],
    ["int8", plain, null, "int8", plain.path],
    ["off", plain, null, "off", plain.path],
    ["off", quant, plain, "off", plain.path],
  ] as const)("quant linear %s", (quantLinear, dit, dit16, becomes, path) => {
    expect(chooseAutomatic({ ...auto, quantLinear }, model(dit, dit16))).toMatchObject({
      quantLinear: becomes,
      dit: path,
    });
  });

  test("off with int8 weights only is refused in one sentence", () => {
    expect(() => chooseAutomatic({ ...auto, quantLinear: "off" }, model(quant))).toThrow(
      expect.objectContaining({
        code: "settings.invalid",
        message: "Quant Linear is off, but a-quant.pth holds int8 weights only.",
      }),
    );
  });

  test("attention follows the SLA weights of the file that runs", () => {
    const bare = header({ path: "/m/plain.pth", sla: false });
    expect(chooseAutomatic(auto, model(plain)).attentionType).toBe("sagesla");
    expect(chooseAutomatic(auto, model(bare)).attentionType).toBe("original");
    expect(chooseAutomatic({ ...auto, attentionType: "original" }, model(plain)).attentionType).toBe("original");
    for (const attentionType of ["sla", "sagesla"] as const)
      expect(() => chooseAutomatic({ ...auto, attentionType }, model(bare))).toThrow(
        expect.objectContaining({
          code: "settings.invalid",
          message: `Attention ${attentionType} needs SLA weights (proj_l), and plain.pth has none.`,
        }),
      );
  });
});

describe("fingerprints and embeddings", () => {
  test("a change at either end, in a sample or in the size changes the fingerprint; the name does not", async () => {
    const size = 3 << 20;
    const path = join(folder, "encoder");
    const content = Buffer.alloc(size, 7);
    const of = (bytes: Buffer) => {
      writeFileSync(path, bytes);
      return fingerprint(path);
    };
    const changedAt = (position: number) => {
      const copy = Buffer.from(content);
      copy[position] = 8;
      return copy;
    };
    const first = await of(content);
    expect(await of(content)).toBe(first);
    for (const position of [0, 1000, Math.floor(size / 64) * 20 + 5, size - 1])
      expect(await of(changedAt(position)), `${position}`).not.toBe(first);
    expect(await of(content.subarray(1))).not.toBe(first);
    const small = await of(Buffer.from("tiny"));
    expect(await of(Buffer.from("tinz"))).not.toBe(small);
  });

  test("an eleven gigabyte file is read in a moment", async () => {
    const path = file("large");
    truncateSync(path, 11_000_000_000);
    // Of the processor: reading all of it takes several seconds of that, however busy the machine is.
    const before = process.cpuUsage();
    await fingerprint(path);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(1);
  });

  test("embeddings are named after ids, encoder, length, format, precision and device", () => {
    const settings = { textEncoderFormat: "auto", precision: "auto", device: "auto" } as const;
    const ids = Int32Array.of(5, 1);
    const name = embeddingName(ids, "f", 64, settings);
    expect(name).toMatch(/^[0-9a-f]{64}\.safetensors$/);
    expect(embeddingName(Int32Array.of(5, 1), "f", 64, { ...settings })).toBe(name);
    const others = [
      embeddingName(Int32Array.of(5, 2), "f", 64, settings),
      embeddingName(ids, "g", 64, settings),
      embeddingName(ids, "f", 512, settings),
      embeddingName(ids, "f", 64, { ...settings, textEncoderFormat: "int8" }),
      embeddingName(ids, "f", 64, { ...settings, precision: "fp32" }),
      embeddingName(ids, "f", 64, { ...settings, device: "reference" }),
    ];
    expect(new Set([name, ...others]).size).toBe(7);
  });
});
