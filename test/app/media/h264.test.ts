// H.264 units between Annex B and MP4.
import { describe, expect, test } from "vitest";
import { decoderConfiguration, lengthPrefixed, splitUnits } from "../../../app/media/h264.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("Annex B", () => {
  test("splits at start codes of three and four bytes and drops padding", () => {
    const stream = bytes(0, 0, 0, 1, 0x67, 66, 0xc0, 30, 0, 0, 1, 0x68, 7, 0, 0, 0, 1, 0x65, 0, 3, 0, 0);
    expect(splitUnits(stream)).toEqual([bytes(0x67, 66, 0xc0, 30), bytes(0x68, 7), bytes(0x65, 0, 3)]);
  });

  test("has no units without a start code", () => {
    expect(splitUnits(bytes(1, 2, 3))).toEqual([]);
    expect(splitUnits(bytes())).toEqual([]);
    expect(splitUnits(bytes(0, 0, 1))).toEqual([]);
  });
});

test("units in a file stand behind their length, without parameter sets and delimiters", () => {
  const units = [bytes(9, 0xf0), bytes(0x67, 66, 0, 30), bytes(0x68, 1), bytes(6, 5), bytes(0x65, 1, 2)];
  expect(lengthPrefixed(units)).toEqual(bytes(0, 0, 0, 2, 6, 5, 0, 0, 0, 3, 0x65, 1, 2));
});

describe("the decoder's record", () => {
  test("for constrained baseline", () => {
    const configuration = decoderConfiguration([bytes(0x67, 66, 0xc0, 30), bytes(0x68, 1)]);
    expect(configuration?.codec).toBe("avc1.42c01e");
    expect(configuration?.record).toEqual(
      bytes(1, 66, 0xc0, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 0xc0, 30, 1, 0, 2, 0x68, 1),
    );
  });

  test("for high profile, with the chroma format and depths at its end", () => {
    const record = decoderConfiguration([bytes(0x67, 100, 0, 40), bytes(0x68, 1)])?.record;
    expect(record?.subarray(-4)).toEqual(bytes(0xfd, 0xf8, 0xf8, 0));
  });

  test("needs both parameter sets", () => {
    expect(decoderConfiguration([bytes(0x67, 66, 0xc0, 30)])).toBeNull();
    expect(decoderConfiguration([bytes(0x68, 1), bytes(0x65, 1)])).toBeNull();
  });
});
