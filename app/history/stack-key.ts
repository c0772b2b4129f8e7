// What makes two jobs variants of each other: the same prompt, mode, model and picture. The function is part of every
// connection, so that triggers keep the stacks whoever writes a job.
import { createHash } from "node:crypto";
import type { Database } from "better-sqlite3";

/** 16 bytes: no two stacks of any library share them. */
export function stackKey(prompt: string, mode: string, model: string, inputImage: string | null): Buffer {
  const text = JSON.stringify([prompt.trim(), mode, model, inputImage]);
  return createHash("sha256").update(text).digest().subarray(0, 16);
}

export function defineStackKey(database: Database): void {
  database.function("stack_key", { deterministic: true }, (prompt, mode, model, inputImage) =>
    stackKey(prompt as string, mode as string, model as string, inputImage as string | null),
  );
}
