// How prompts become searchable words: scripts written without spaces are taken apart into single characters, which
// full-text search finds again as a phrase. Queries go through the same split.

const unspacedCharacter = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}ー]/u;

/** The prompt as full-text search indexes it. */
export function searchText(prompt: string): string {
  let text = "";
  for (const character of prompt.normalize("NFKC"))
    text += unspacedCharacter.test(character) ? ` ${character} ` : character;
  return text.replace(/\s+/gu, " ").trim();
}

/** An FTS5 query that finds every word, in any order, each by its beginning; null when there is no word in it. */
export function searchQuery(words: string): string | null {
  const phrases: string[] = [];
  for (const word of words.normalize("NFKC").split(/\s+/u)) {
    const phrase = searchText(word)
      .replace(/[^\p{L}\p{N}\p{M}]+/gu, " ")
      .trim();
    if (phrase !== "") phrases.push(`"${phrase}"*`);
  }
  return phrases.length === 0 ? null : phrases.join(" AND ");
}
