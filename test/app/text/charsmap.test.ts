// The character map: hand-made maps, Hugging Face's order of look-ups, and blobs that are broken in every byte.
import { describe, expect, test } from "vitest";
import { Charsmap } from "../../../app/text/charsmap.ts";
import { charsmapBlob } from "./charsmap-blob.ts";

function mapOf(rules: Record<string, string>): Charsmap {
  return Charsmap.fromBase64(charsmapBlob(rules).toString("base64"));
}

describe("a hand-made map", () => {
  const map = mapOf({ "\t": " ", "½": "1/2", ﬁ: "fi", Å: "A", ア: "ア", "e\u0301": "é", 株: "", "㍿": "株式会社" });

  test.each([
    ["a\tb", "a b"],
    ["½ ﬁne", "1/2 fine"],
    ["㍿ ア", "株式会社 ア"],
    ["cafe\u0301", "café"],
    ["gone: 株.", "gone: ."],
    ["nothing to do", "nothing to do"],
    ["", ""],
    ["\0½", "\x001/2"],
  ])("%j becomes %j", (text, normalized) => expect(map.normalize(text)).toBe(normalized));

  test("the result is not normalized again", () => {
    expect(mapOf({ a: "b", b: "c" }).normalize("ab")).toBe("bc");
  });
});

describe("Hugging Face's order of look-ups", () => {
  test("the shortest known beginning wins, and the rest of the grapheme goes with it", () => {
    expect(mapOf({ ᵢ: "i", "ᵢ\u0306": "long" }).normalize("ᵢ\u0306")).toBe("i");
  });
  test("a grapheme of six bytes or more is looked up character by character", () => {
    expect(mapOf({ "👍🏽": "thumb", "👍": "T" }).normalize("👍🏽")).toBe("T🏽");
    expect(mapOf({ "e\u0301\u0302": "x", e: "y" }).normalize("e\u0301\u0302")).toBe("y");
  });
});

describe("a broken blob", () => {
  test.each([
    ["empty", Buffer.alloc(0)],
    ["three bytes", Buffer.alloc(3)],
    ["no trie", Buffer.alloc(8)],
    ["a trie longer than the blob", Buffer.from([0xfc, 0xff, 0, 0, 0, 0, 0, 0])],
    ["a trie of three bytes", Buffer.from([3, 0, 0, 0, 1, 2, 3])],
  ])("%s is refused", (_, blob) => expect(() => new Charsmap(blob)).toThrow(RangeError));

  test("what is not base64 is refused", () => {
    expect(() => Charsmap.fromBase64("not base64!")).toThrow(RangeError);
  });

  test("any byte changed, any length cut: no error, no endless loop", () => {
    const rules = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [String.fromCodePoint(0xc0 + i * 7), `<${i}>`]),
    );
    const blob = charsmapBlob(rules);
    const text = `${Object.keys(rules).join("")} plain text \u0301 👍🏽 \uffff`;
    const random = generator(7);
    let refused = 0;
    for (let round = 0; round < 3000; ++round) {
      const broken = Buffer.from(blob.subarray(0, random() % 4 ? blob.length : random() % blob.length));
      for (let change = random() % 6; change > 0 && broken.length > 0; --change) {
        broken[random() % broken.length] = random() & 255;
      }
      try {
        const map = new Charsmap(broken);
        for (let at = random() % 200; at < text.length; at += 40) map.replacement(text.slice(at, at + 3));
        if (round % 50 === 0) expect(typeof map.normalize(text)).toBe("string");
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        ++refused;
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(3000);
  });
});

/** Marsaglia's xorshift: the same numbers in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
