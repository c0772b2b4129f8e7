// What happens to a prompt before it is split into pieces: repair, HTML entities, white space. The order is that of the
// text encoders of Wan (Wan-Video/Wan2.1 wan/modules/tokenizers.py: ftfy.fix_text, html.unescape twice, strip, white
// space to single spaces). Letter case is kept.
//
// Of ftfy.fix_text (rspeer/python-ftfy docs/config.rst) this keeps what changes which pieces a prompt becomes: terminal
// escapes, text that was decoded with the wrong alphabet, ligatures, full-width forms, curly quotes, control characters,
// composed accents. Left out: its statistical repair of partly damaged text, since a prompt is typed, not scraped; only
// text that is wrong from end to end is repaired.
import { decodeHTML } from "entities";

/** What Python's str.split() and \s mean by white space; JavaScript's \s also has U+FEFF and lacks U+001C-U+001F. */
// eslint-disable-next-line no-control-regex -- these control characters are white space to Python
const whiteSpace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

export function cleanPrompt(prompt: string): string {
  const repaired = repairText(prompt);
  return decodeHTML(decodeHTML(repaired)).replace(whiteSpace, " ").trim();
}

/** The part of ftfy.fix_text that is worth having. */
export function repairText(text: string): string {
  return repairAlphabet(text.toWellFormed())
    .replace(terminalEscapes, "")
    .replace(/[ĲĳŉǄ-ǌǱ-ǳﬀ-ﬆ]/g, (ligature) => ligature.normalize("NFKC"))
    .replace(/[\uff01-\uffef]/g, (wide) => wide.normalize("NFKC"))
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(controls, "")
    .normalize("NFC");
}

// eslint-disable-next-line no-control-regex -- the escape character is what is looked for
const terminalEscapes = /\x1b\[[\d;]*[a-zA-Z]/g;

/** Control characters that neither break lines nor show; white space is left to the collapse above. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const controls = /[\x00-\x08\x0e-\x1b\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g;

/** Undoes UTF-8 that was read as Windows-1252 ("Ã©" for "é"). Text counts as such when every character has a byte there
 * and the bytes are valid UTF-8 with at least one character beyond ASCII: by chance that hardly happens. */
function repairAlphabet(text: string): string {
  if (!/[\x80-\uffff]/.test(text)) return text;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) {
    const byte = windows1252.get(text[i]!);
    if (byte === undefined) return text;
    bytes[i] = byte;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return text;
  }
}

const windows1252 = new Map(
  Array.from({ length: 256 }, (_, byte) => [new TextDecoder("windows-1252").decode(Uint8Array.of(byte)), byte]),
);
