// The character map of a SentencePiece model, as tokenizer.json carries it (normalizer "Precompiled"): a double-array
// trie of byte strings and the texts they become. @huggingface/tokenizers stores the map and does not apply it.
//
// Form (google/sentencepiece src/normalizer.cc, s-yata/darts-clone include/darts.h), base64 around:
//   uint32 little-endian: bytes of the trie; the trie as uint32 units; then texts in UTF-8, each ended by a zero byte.
// A unit: bits 0-7 label (with bit 31, which says that the unit is a value), bit 8 "a value hangs here", bit 9 and 10-30
// the offset to its children. A value is the position of the replacement among the texts.

/** Longest blob that is read; umT5's has about 240 kB. */
const largestMap = 16 << 20;

export class Charsmap {
  private readonly units: Uint32Array;
  private readonly texts: Uint8Array;
  private readonly replacements = new Map<number, string>();

  /** Throws a RangeError when the blob is not a map. Every later access is checked against its bounds, so a map that
   * points outside itself gives no replacement rather than an error. */
  constructor(blob: Uint8Array) {
    if (blob.length < 4 || blob.length > largestMap) throw new RangeError("the character map has an impossible size");
    const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
    const trieBytes = view.getUint32(0, true);
    if (trieBytes % 4 !== 0 || trieBytes === 0 || trieBytes > blob.length - 4)
      throw new RangeError("the character map's trie does not fit into it");
    this.units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.texts = blob.slice(4 + trieBytes);
  }

  static fromBase64(text: string): Charsmap {
    if (text.length > largestMap * 1.4 || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text))
      throw new RangeError("the character map is not base64");
    return new Charsmap(Buffer.from(text, "base64"));
  }

  /** Applies the map as Hugging Face's tokenizers does (huggingface/tokenizers
   * tokenizers/src/normalizers/precompiled.rs), which the text encoders were trained with: grapheme by grapheme; one of
   * fewer than six bytes is looked up as a whole, otherwise, and where that finds nothing, character by character. */
  normalize(text: string): string {
    let normalized = "";
    for (const { segment } of graphemes.segment(text)) {
      const whole = Buffer.byteLength(segment) < 6 ? this.replacement(segment) : undefined;
      normalized += whole ?? Array.from(segment, (character) => this.replacement(character) ?? character).join("");
    }
    return normalized;
  }

  /** What the shortest known beginning of the text becomes, or undefined. The shortest, not the longest: so does the
   * tokenizer named above, and the rest of the text is dropped with it. */
  replacement(text: string): string | undefined {
    let node = offset(this.units[0]!);
    for (const byte of encoder.encode(text)) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = this.units[node];
      if (unit === undefined || label(unit) !== byte) return undefined;
      node ^= offset(unit);
      if (unit & 0x100) {
        const value = this.units[node];
        return value === undefined ? undefined : this.textAt(value & 0x7fffffff);
      }
    }
    return undefined;
  }

  private textAt(start: number): string | undefined {
    if (start >= this.texts.length) return undefined;
    const known = this.replacements.get(start);
    if (known !== undefined) return known;
    const end = this.texts.indexOf(0, start);
    const text = decoder.decode(this.texts.subarray(start, end < 0 ? undefined : end));
    this.replacements.set(start, text);
    return text;
  }
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function label(unit: number): number {
  return (unit & 0x800000ff) >>> 0;
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
