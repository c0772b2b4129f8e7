// H.264 as encoders give it (Annex B: units behind start codes) and as MP4 files hold it (units behind their lengths, the
// parameter sets in one record). Formats: ITU-T H.264 Annex B and 7.3.2.1; ISO/IEC 14496-15 5.3.3.

const sequenceParameterSet = 7;
const pictureParameterSet = 8;
const accessUnitDelimiter = 9;

/** The units of one access unit, without start codes. */
export function splitUnits(annexB: Uint8Array): Uint8Array[] {
  const units: Uint8Array[] = [];
  let start = -1;
  const end = annexB.length;
  for (let i = 0; i + 2 < end; i++) {
    if (annexB[i] !== 0 || annexB[i + 1] !== 0 || annexB[i + 2] !== 1) continue;
    if (start >= 0) units.push(trimmed(annexB, start, i));
    start = i + 3;
    i += 2;
  }
  if (start >= 0) units.push(trimmed(annexB, start, end));
  return units.filter((unit) => unit.length > 0);
}

/** Zero bytes after a unit belong to the next start code or pad the stream. */
function trimmed(bytes: Uint8Array, start: number, end: number): Uint8Array {
  let last = end;
  while (last > start && bytes[last - 1] === 0) last--;
  return bytes.subarray(start, last);
}

export function unitType(unit: Uint8Array): number {
  return (unit[0] ?? 0) & 0x1f;
}

/** One access unit with 4-byte lengths, without the parameter sets that the record holds. */
export function lengthPrefixed(units: readonly Uint8Array[]): Uint8Array {
  const kept = units.filter((unit) => {
    const type = unitType(unit);
    return type !== sequenceParameterSet && type !== pictureParameterSet && type !== accessUnitDelimiter;
  });
  const out = new Uint8Array(kept.reduce((sum, unit) => sum + 4 + unit.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const unit of kept) {
    view.setUint32(at, unit.length);
    out.set(unit, at + 4);
    at += 4 + unit.length;
  }
  return out;
}

export interface DecoderConfiguration {
  /** "avc1.42c01e": profile, constraints, level. */
  codec: string;
  /** AVCDecoderConfigurationRecord. */
  record: Uint8Array<ArrayBuffer>;
}

/** From the units of the first access unit; null when it lacks a parameter set. */
export function decoderConfiguration(units: readonly Uint8Array[]): DecoderConfiguration | null {
  const sequence = units.filter((unit) => unitType(unit) === sequenceParameterSet);
  const picture = units.filter((unit) => unitType(unit) === pictureParameterSet);
  const first = sequence[0];
  if (!first || first.length < 4 || picture.length === 0) return null;
  const [profile = 0, constraints = 0, level = 0] = first.subarray(1, 4);
  const bytes: number[] = [1, profile, constraints, level, 0xfc | 3, 0xe0 | sequence.length];
  for (const unit of sequence) bytes.push(unit.length >> 8, unit.length & 255, ...unit);
  bytes.push(picture.length);
  for (const unit of picture) bytes.push(unit.length >> 8, unit.length & 255, ...unit);
  // High profiles end with chroma format and bit depths; the encoder makes 4:2:0 with 8 bits.
  if ([100, 110, 122, 144].includes(profile)) bytes.push(0xfc | 1, 0xf8, 0xf8, 0);
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  return { codec: `avc1.${hex(profile)}${hex(constraints)}${hex(level)}`, record: Uint8Array.from(bytes) };
}

/** The parameter sets of an AVCDecoderConfigurationRecord and the size of the lengths before units; null for anything
 * else. */
export function readRecord(record: Uint8Array): { parameterSets: Uint8Array[]; lengthSize: number } | null {
  if (record.length < 7 || record[0] !== 1) return null;
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const parameterSets: Uint8Array[] = [];
  let at = 5;
  for (const mask of [0x1f, 0xff]) {
    if (at >= record.length) return null;
    for (let count = view.getUint8(at++) & mask; count > 0; count--) {
      if (at + 2 > record.length) return null;
      const length = view.getUint16(at);
      if (length === 0 || at + 2 + length > record.length) return null;
      parameterSets.push(record.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return { parameterSets, lengthSize: (record[4]! & 3) + 1 };
}

/** One access unit of a file in Annex B form, the given units before it; null where the lengths do not add up. */
export function annexB(
  unit: Uint8Array,
  lengthSize: number,
  before: readonly Uint8Array[] = [],
): Uint8Array<ArrayBuffer> | null {
  const units = [...before];
  for (let at = 0; at < unit.length;) {
    let length = 0;
    for (let i = 0; i < lengthSize; i++) length = length * 256 + (unit[at + i] ?? 0);
    at += lengthSize;
    if (length === 0 || at + length > unit.length) return null;
    units.push(unit.subarray(at, at + length));
    at += length;
  }
  const out = new Uint8Array(units.reduce((sum, { length }) => sum + 4 + length, 0));
  let at = 0;
  for (const one of units) {
    out[at + 3] = 1;
    out.set(one, at + 4);
    at += 4 + one.length;
  }
  return out;
}
