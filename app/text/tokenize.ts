// From a prompt to the token ids of a text encoder: clean, normalise, split, close with </s>, cut to the rows the model
// reads. @huggingface/tokenizers does the splitting (Metaspace, Unigram); what it leaves out is here: the exact character
// map, byte fallback, truncation.
import { statSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import { cleanPrompt } from "./clean-prompt.ts";
import { type Normalize, normalizerOf } from "./normalizer.ts";
import { corrupt, readTokenizerFile, type TokenizerFile } from "./tokenizer-file.ts";

export interface TokenizeOptions {
  /** tokenizer.json; "" throws tokenizer.missing. */
  tokenizerPath: string;
  /** Rows of context the model reads, the closing </s> included (512 for Wan). */
  textLength: number;
}

export interface Tokenized {
  /** At most textLength ids, the last one </s>; no padding. */
  ids: Int32Array;
  /** The pieces, one an id; an unknown run shows its own letters. */
  tokens: string[];
  /** True when the prompt was longer than textLength. */
  cut: boolean;
}

/** Throws tokenizer.missing when there is no such file, tokenizer.corrupt when it cannot be used. */
export function tokenize(prompt: string, { tokenizerPath, textLength }: TokenizeOptions): Tokenized {
  return tokenizerAt(tokenizerPath).encode(cleanPrompt(prompt), textLength);
}

/** What is used of the library's tokenizer. Its own type declarations are written for bundlers and say nothing here. */
interface LibraryTokenizer {
  /** Called for each stretch of text between added tokens. */
  normalizer: Normalize | null;
  model: { fuse_unk: boolean };
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[]; tokens: string[] };
  token_to_id(token: string): number | undefined;
}

class PromptTokenizer {
  private readonly tokenizer: LibraryTokenizer;
  private readonly endId: number;
  private readonly unknownId: number;
  /** Id of <0x00> ... <0xFF> where the file asks for bytes in place of unknown characters, else null. */
  private readonly byteIds: readonly number[] | null;

  constructor(file: TokenizerFile) {
    this.tokenizer = new Tokenizer({ ...file, normalizer: null }, {}) as unknown as LibraryTokenizer;
    this.tokenizer.normalizer = file.normalizer && normalizerOf(file.normalizer);
    this.unknownId = file.model.unk_id;
    const end = this.tokenizer.token_to_id("</s>");
    if (end === undefined) throw new TypeError("it has no </s>");
    this.endId = end;
    this.byteIds = file.model.byte_fallback ? this.findBytes() : null;
    // Bytes need the unknown characters themselves; without bytes a run of them is one piece.
    if (this.byteIds) this.tokenizer.model.fuse_unk = false;
  }

  encode(text: string, textLength: number): Tokenized {
    const { ids, tokens } = this.withBytes(this.tokenizer.encode(text, { add_special_tokens: true }));
    if (ids.at(-1) === this.endId) {
      ids.pop();
      tokens.pop();
    }
    const cut = ids.length > textLength - 1;
    const kept = Math.min(ids.length, textLength - 1);
    return {
      ids: Int32Array.from([...ids.slice(0, kept), this.endId]),
      tokens: [...tokens.slice(0, kept), "</s>"],
      cut,
    };
  }

  private withBytes({ ids, tokens }: { ids: number[]; tokens: string[] }): { ids: number[]; tokens: string[] } {
    const { byteIds } = this;
    if (!byteIds) return { ids: [...ids], tokens: [...tokens] };
    const pairs = ids.flatMap((id, i): [number, string][] =>
      id === this.unknownId && this.tokenizer.token_to_id(tokens[i]!) === undefined
        ? [...new TextEncoder().encode(tokens[i])].map((byte) => [byteIds[byte]!, byteName(byte)])
        : [[id, tokens[i]!]],
    );
    return { ids: pairs.map(([id]) => id), tokens: pairs.map(([, token]) => token) };
  }

  private findBytes(): number[] | null {
    const ids = Array.from({ length: 256 }, (_, byte) => this.tokenizer.token_to_id(byteName(byte)));
    return ids.every((id) => id !== undefined) ? ids : null;
  }
}

function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** The tokenizers in use by path; umT5's takes a second to make ready. A file that has changed is read again. */
const ready = new Map<string, { stamp: string; tokenizer: PromptTokenizer }>();

function tokenizerAt(path: string): PromptTokenizer {
  const stamp = stampOf(path);
  const known = ready.get(path);
  if (known && known.stamp === stamp) return known.tokenizer;
  const file = readTokenizerFile(path);
  try {
    const tokenizer = new PromptTokenizer(file);
    ready.set(path, { stamp, tokenizer });
    return tokenizer;
  } catch (error) {
    throw corrupt(path, error);
  }
}

function stampOf(path: string): string {
  const facts = path ? statSync(path, { throwIfNoEntry: false }) : undefined;
  return facts ? `${facts.mtimeMs} ${facts.size}` : "";
}
