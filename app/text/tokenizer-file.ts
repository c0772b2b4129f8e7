// Reads tokenizer.json (Hugging Face's form) and refuses what the tokenizer here cannot follow exactly: everything that
// @huggingface/tokenizers would ignore, guess at or choke on is checked before it sees the file.
import { readFileSync, statSync } from "node:fs";
import { RushesError } from "../../contract/errors.ts";

/** umT5-XXL's file has 17 MB. */
const largestFile = 128 << 20;
const mostPieces = 2_000_000;

export type NormalizerConfig =
  | { type: "Sequence"; normalizers: NormalizerConfig[] }
  | { type: "Precompiled"; precompiled_charsmap: string }
  | { type: "Replace"; pattern: { String: string; Regex?: never } | { Regex: string }; content: string }
  | { type: "Strip"; strip_left: boolean; strip_right: boolean }
  | { type: "Lowercase" | "NFC" | "NFD" | "NFKC" | "NFKD" };

export interface TokenizerFile {
  normalizer: NormalizerConfig | null;
  pre_tokenizer: unknown;
  post_processor: unknown;
  decoder: unknown;
  added_tokens: { id: number; content: string }[];
  model: { type: "Unigram"; unk_id: number; byte_fallback?: boolean; vocab: [string, number][] };
}

/** Throws tokenizer.missing or tokenizer.corrupt. */
export function readTokenizerFile(path: string): TokenizerFile {
  if (!path) throw new RushesError("tokenizer.missing");
  const parsed = parse(path, readText(path));
  try {
    return checked(parsed);
  } catch (error) {
    throw corrupt(path, error);
  }
}

export function corrupt(path: string, reason: unknown): RushesError {
  const detail = reason instanceof Error ? reason.message : String(reason);
  return new RushesError("tokenizer.corrupt", {
    sentence: `${path} is not a tokenizer that can be used: ${detail}.`,
    detail,
    cause: reason,
  });
}

function readText(path: string): string {
  try {
    const facts = statSync(path);
    if (!facts.isFile()) throw corrupt(path, "it is not a file");
    if (facts.size > largestFile) throw corrupt(path, `it has ${facts.size} bytes, more than any tokenizer`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof RushesError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (missing)
      throw new RushesError("tokenizer.missing", { sentence: `There is no tokenizer at ${path}.`, cause: error });
    throw new RushesError("file.unreadable", { sentence: `${path} cannot be read.`, cause: error });
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corrupt(path, error);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function checked(file: unknown): TokenizerFile {
  const fields = object(file, "the file");
  const model = checkedModel(object(fields.model, "model"));
  return {
    normalizer: checkedNormalizer(fields.normalizer ?? null),
    pre_tokenizer: checkedPreTokenizer(fields.pre_tokenizer ?? null),
    post_processor: checkedPostProcessor(fields.post_processor ?? null),
    // Nothing is ever decoded.
    decoder: null,
    added_tokens: checkedAddedTokens(fields.added_tokens ?? [], model.vocab.length),
    model,
  };
}

function checkedModel(model: Fields): TokenizerFile["model"] {
  if (model.type !== "Unigram") throw new TypeError(`its model is ${String(model.type)}, not Unigram`);
  const { vocab, unk_id, byte_fallback } = model;
  if (!Array.isArray(vocab) || vocab.length === 0 || vocab.length > mostPieces)
    throw new TypeError("its list of pieces is missing or too long");
  for (const entry of vocab as unknown[]) {
    const isPiece = Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" && entry[0] !== "";
    if (!isPiece || !Number.isFinite(entry[1])) throw new TypeError("one of its pieces is not a text with a number");
  }
  if (!isIndex(unk_id, vocab.length)) throw new TypeError("it has no piece for unknown characters");
  if (byte_fallback !== undefined && typeof byte_fallback !== "boolean")
    throw new TypeError("byte_fallback is not a truth value");
  return { type: "Unigram", unk_id, byte_fallback: byte_fallback ?? false, vocab: vocab as [string, number][] };
}

function checkedAddedTokens(tokens: unknown, pieces: number): TokenizerFile["added_tokens"] {
  if (!Array.isArray(tokens) || tokens.length > 100_000) throw new TypeError("added_tokens is not a list");
  for (const token of tokens as unknown[]) {
    const { id, content } = object(token, "an added token");
    if (typeof content !== "string" || content === "") throw new TypeError("an added token has no text");
    // Ids beyond the pieces extend the list; a far one would make it huge.
    if (!isIndex(id, pieces + tokens.length)) throw new TypeError(`the added token ${content} has an impossible id`);
  }
  return tokens as TokenizerFile["added_tokens"];
}

function checkedNormalizer(normalizer: unknown, depth = 0): NormalizerConfig | null {
  if (normalizer === null) return null;
  const fields = object(normalizer, "normalizer");
  const { type } = fields;
  switch (type) {
    case "Sequence": {
      const normalizers = list(fields.normalizers, depth).map((one) => checkedNormalizer(one, depth + 1));
      return { type, normalizers: normalizers.filter((one) => one !== null) };
    }
    case "Precompiled": {
      const { precompiled_charsmap } = fields;
      if (typeof precompiled_charsmap !== "string") throw new TypeError("its character map is missing");
      return { type, precompiled_charsmap };
    }
    case "Replace":
      return checkedReplace(fields);
    case "Strip":
      return { type, strip_left: fields.strip_left !== false, strip_right: fields.strip_right !== false };
    case "Lowercase":
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return { type };
    default:
      throw new TypeError(`its normalizer ${String(type)} is not known`);
  }
}

/** A pattern without groups cannot take exponential time. */
function checkedReplace({ pattern, content = "" }: Fields): NormalizerConfig {
  const { String: text, Regex: regex } = object(pattern, "a pattern");
  if (typeof content === "string") {
    if (typeof text === "string" && text !== "" && regex === undefined)
      return { type: "Replace", pattern: { String: text }, content };
    if (typeof regex === "string" && regex.length <= 100 && !/[(|]/.test(regex) && text === undefined)
      return { type: "Replace", pattern: { Regex: regex }, content };
  }
  throw new TypeError("one of its patterns is not known");
}

function checkedPreTokenizer(preTokenizer: unknown, depth = 0): unknown {
  if (preTokenizer === null) return null;
  const fields = object(preTokenizer, "pre_tokenizer");
  if (fields.type === "Sequence")
    for (const one of list(fields.pretokenizers, depth)) checkedPreTokenizer(one, depth + 1);
  else if (fields.type !== "Metaspace" && fields.type !== "WhitespaceSplit")
    throw new TypeError(`its pre-tokenizer ${String(fields.type)} is not known`);
  return fields;
}

function checkedPostProcessor(postProcessor: unknown): unknown {
  if (postProcessor === null) return null;
  const fields = object(postProcessor, "post_processor");
  if (fields.type !== "TemplateProcessing")
    throw new TypeError(`its post-processor ${String(fields.type)} is not known`);
  for (const item of list(fields.single, 0)) {
    const { Sequence: sequence, SpecialToken: special } = object(item, "a template item");
    const part = object(sequence ?? special, "a template item");
    if (typeof part.id !== "string") throw new TypeError("its template is not known");
  }
  return { ...fields, pair: [] };
}

function object(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TypeError(`${name} is not an object`);
  return value as Fields;
}

function list(value: unknown, depth: number): unknown[] {
  if (!Array.isArray(value) || value.length > 100 || depth > 8)
    throw new TypeError("a sequence in it is not a list, or nested too deep");
  return value;
}

function isIndex(value: unknown, length: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < length;
}
