// How long a prompt is: words for the person, tokens for the model. Asked with every letter typed, so what was counted last
// is remembered and overlong text is not read to its end.
import type { DraftCheck } from "../../contract/channels/generate.ts";
import type { Model } from "../models/find-model.ts";

export type CountedPrompt = NonNullable<DraftCheck["prompt"]>;

/** No model reads as many letters; what is longer is cut in any case. */
const longestRead = 20_000;
const words = new Intl.Segmenter(undefined, { granularity: "word" });

const remembered = new Map<string, CountedPrompt>();
const mostRemembered = 50;

/** Throws tokenizer.missing or tokenizer.corrupt. */
export async function countPrompt(prompt: string, model: Pick<Model, "files" | "textLength">): Promise<CountedPrompt> {
  const { tokenizer: tokenizerPath } = model.files;
  const { textLength } = model;
  const read = prompt.slice(0, longestRead);
  const overlong = prompt.length > read.length;
  const key = JSON.stringify([tokenizerPath, textLength, overlong, read]);
  const known = remembered.get(key);
  if (known) return known;
  const { tokenize } = await import("../text/tokenize.ts");
  const { ids, cut } = tokenize(read, { tokenizerPath, textLength });
  const tokens = read.trim() === "" ? 0 : ids.length;
  const counted = { words: countWords(read), tokens, tokenLimit: textLength, cut: cut || overlong };
  if (remembered.size >= mostRemembered) remembered.delete(remembered.keys().next().value ?? "");
  remembered.set(key, counted);
  return counted;
}

function countWords(text: string): number {
  let count = 0;
  for (const { isWordLike } of words.segment(text)) if (isWordLike) count++;
  return count;
}
