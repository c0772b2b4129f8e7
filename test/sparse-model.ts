// Checkpoints of real models' sizes with nothing but their headers on the disk: safetensors files full of holes.
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

type Tensors = Record<string, readonly number[]>;

export const wan13 = { dim: 1536, ffn: 8960, layers: 30, textDim: 4096 } as const;
export const umt5Xxl = { dim: 4096, ffn: 10240, layers: 24, heads: 64, headSize: 64, vocabulary: 256384 } as const;

/** Writes all tensors as bf16 zeros without taking their space. */
export function writeSparseSafetensors(path: string, tensors: Tensors): void {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, shape]) => {
      const start = end;
      end += 2 * shape.reduce((product, side) => product * side, 1);
      return [name, { dtype: "BF16", shape, data_offsets: [start, end] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, "w");
  try {
    writeSync(file, Buffer.concat([length, text]));
    ftruncateSync(file, 8 + text.length + end);
  } finally {
    closeSync(file);
  }
}

/** A Wan text-to-video transformer with SLA weights; names as in addon/src/models/wan_dit/wan_dit_tensors.cpp. */
export function wanDitTensors({ dim, ffn, layers, textDim }: typeof wan13): Tensors {
  const tensors: Record<string, readonly number[]> = {};
  const linear = (name: string, rows: number, columns: number) => {
    tensors[`${name}.weight`] = [rows, columns];
    tensors[`${name}.bias`] = [rows];
  };
  linear("patch_embedding", dim, 64);
  linear("text_embedding.0", dim, textDim);
  linear("text_embedding.2", dim, dim);
  linear("time_embedding.0", dim, 256);
  linear("time_embedding.2", dim, dim);
  linear("time_projection.1", 6 * dim, dim);
  for (let layer = 0; layer < layers; layer++) {
    const block = `blocks.${layer}`;
    tensors[`${block}.modulation`] = [1, 6, dim];
    for (const attention of ["self_attn", "cross_attn"]) {
      for (const part of ["q", "k", "v", "o"]) linear(`${block}.${attention}.${part}`, dim, dim);
      for (const part of ["norm_q", "norm_k"]) tensors[`${block}.${attention}.${part}.weight`] = [dim];
    }
    tensors[`${block}.norm3.weight`] = [dim];
    tensors[`${block}.norm3.bias`] = [dim];
    linear(`${block}.ffn.0`, ffn, dim);
    linear(`${block}.ffn.2`, dim, ffn);
    linear(`${block}.self_attn.attn_op.local_attn.proj_l`, 128, 128);
  }
  tensors["head.modulation"] = [1, 2, dim];
  linear("head.head", 64, dim);
  return tensors;
}

/** A umT5 encoder; names as in addon/src/models/umt5/umt5_tensors.cpp. */
export function umt5Tensors({ dim, ffn, layers, heads, headSize, vocabulary }: typeof umt5Xxl): Tensors {
  const inner = heads * headSize;
  const tensors: Record<string, readonly number[]> = { "token_embedding.weight": [vocabulary, dim] };
  for (let layer = 0; layer < layers; layer++) {
    const block = `blocks.${layer}`;
    tensors[`${block}.norm1.weight`] = [dim];
    for (const part of ["q", "k", "v"]) tensors[`${block}.attn.${part}.weight`] = [inner, dim];
    tensors[`${block}.attn.o.weight`] = [dim, inner];
    tensors[`${block}.pos_embedding.embedding.weight`] = [32, heads];
    tensors[`${block}.norm2.weight`] = [dim];
    tensors[`${block}.ffn.gate.0.weight`] = [ffn, dim];
    tensors[`${block}.ffn.fc1.weight`] = [ffn, dim];
    tensors[`${block}.ffn.fc2.weight`] = [dim, ffn];
  }
  tensors["norm.weight"] = [dim];
  return tensors;
}
