// A model of two experts that begins with a picture, small enough for tests: random weights beside the demo model's VAE and
// text encoder. What it makes is noise; that it takes its picture, and which expert runs which step, can be seen all the same.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { randomNumbers } from "./random-numbers.ts";

const demo = fileURLToPath(new URL("../models/demo", import.meta.url));
const [dim, ffn, heads, textDim, frequencyDim] = [128, 256, 1, 256, 256];
/** 16 of noise, 4 of a mask, 16 of the picture; 16 come out. Each token is 2x2 of them. */
const [inputs, outputs] = [36 * 4, 16 * 4];

export interface TinyImageModel {
  readonly folder: string;
  readonly high: string;
  readonly low: string;
}

/** Writes both experts and a manifest into the folder. `experts` 1: the high-noise one alone. */
export function writeTinyImageModel(folder: string, { experts = 2, numFrames = 5 } = {}): TinyImageModel {
  mkdirSync(folder, { recursive: true });
  const [high, low] = [join(folder, "tiny-i2v-high.safetensors"), join(folder, "tiny-i2v-low.safetensors")];
  writeExpert(high, 1);
  if (experts === 2) writeExpert(low, 2);
  const manifest = {
    name: "Tiny Pictures",
    architecture: "wan2.2-i2v",
    dit: "tiny-i2v-high.safetensors",
    ...(experts === 2 ? { ditLow: "tiny-i2v-low.safetensors" } : {}),
    vae: relative(folder, join(demo, "demo-vae.pth")),
    textEncoder: relative(folder, join(demo, "demo-umt5.pth")),
    tokenizer: relative(folder, join(demo, "tokenizer.json")),
    sizes: [[128, 128]],
    defaults: { width: 128, height: 128, numFrames, numSteps: 4 },
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  return { folder, high, low };
}

/** A safetensors file in bf16. Names as in addon/src/models/wan_dit/wan_dit_tensors.cpp. */
function writeExpert(path: string, seed: number): void {
  const random = randomNumbers(seed);
  const tensors = new Map<string, { shape: number[]; values: () => number }>();
  const tensor = (name: string, shape: number[], values: () => number) => void tensors.set(name, { shape, values });
  const linear = (name: string, rows: number, columns: number) => {
    // Sums of so many products stay as large as what goes in.
    const spread = Math.sqrt(3 / columns);
    tensor(`${name}.weight`, [rows, columns], () => (2 * random() - 1) * spread);
    tensor(`${name}.bias`, [rows], () => 0);
  };
  const small = () => 0.1 * (2 * random() - 1);
  linear("patch_embedding", dim, inputs);
  linear("text_embedding.0", dim, textDim);
  linear("text_embedding.2", dim, dim);
  linear("time_embedding.0", dim, frequencyDim);
  linear("time_embedding.2", dim, dim);
  linear("time_projection.1", 6 * dim, dim);
  const block = "blocks.0";
  tensor(`${block}.modulation`, [1, 6, dim], small);
  for (const attention of ["self_attn", "cross_attn"]) {
    for (const part of ["q", "k", "v", "o"]) linear(`${block}.${attention}.${part}`, dim, dim);
    for (const part of ["norm_q", "norm_k"]) tensor(`${block}.${attention}.${part}.weight`, [dim], () => 1);
  }
  tensor(`${block}.norm3.weight`, [dim], () => 1);
  tensor(`${block}.norm3.bias`, [dim], () => 0);
  linear(`${block}.ffn.0`, ffn, dim);
  linear(`${block}.ffn.2`, dim, ffn);
  linear(`${block}.self_attn.attn_op.local_attn.proj_l`, dim / heads, dim / heads);
  tensor("head.modulation", [1, 2, dim], small);
  linear("head.head", outputs, dim);
  writeFileSync(path, safetensors(tensors));
}

function safetensors(tensors: ReadonlyMap<string, { shape: number[]; values: () => number }>): Buffer {
  const header: Record<string, object> = {};
  const data: Buffer[] = [];
  let end = 0;
  for (const [name, { shape, values }] of tensors) {
    const count = shape.reduce((product, side) => product * side, 1);
    const floats = Float32Array.from({ length: count }, values);
    const words = new Uint32Array(floats.buffer);
    const halves = Uint16Array.from(words, (word) => (word + 0x8000) >>> 16);
    data.push(Buffer.from(halves.buffer));
    header[name] = { dtype: "BF16", shape, data_offsets: [end, end + 2 * count] };
    end += 2 * count;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...data]);
}
