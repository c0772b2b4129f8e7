// Whether an MP4's sample tables (ISO/IEC 14496-12 8.6.1, 8.7) fit together, before anybody counts with them: a few changed
// bytes make billions of samples, which a reader of containers would walk through one by one.
import type { ByteReader } from "./byte-reader.ts";
import { type Box, BoxReader } from "./mp4-boxes.ts";

const containers = ["moov", "trak", "mdia", "minf", "stbl"];
/** Bytes of an entry; the table's length stands in its second word. */
const entryBytes: Readonly<Record<string, number>> = { stts: 8, ctts: 8, stsc: 12, stco: 4, co64: 8, stss: 4 };

/** Throws, with what is wrong, unless the file has one track without fragments, of at most `mostSamples`, whose tables say
 * the same. */
export async function checkSampleTables(bytes: ByteReader, mostSamples: number): Promise<void> {
  const reader = new BoxReader(bytes);
  const tables = new Map<string, number[]>();
  const visit = async (start: number, end: number): Promise<void> => {
    for await (const box of reader.boxes(start, end)) {
      if (box.type === "moof" || box.type === "mvex") throw new Error("It has fragments.");
      if (containers.includes(box.type)) await visit(box.start, box.end);
      const words = box.type === "stsz" || entryBytes[box.type] ? await readTable(bytes, box, mostSamples) : null;
      if (!words) continue;
      if (tables.has(box.type)) throw new Error("It has more than one track.");
      tables.set(box.type, words);
    }
  };
  await visit(0, bytes.size);

  const [sizes, times, chunks] = [tables.get("stsz"), tables.get("stts"), tables.get("stsc")];
  const chunkCount = tables.get("stco")?.[0] ?? tables.get("co64")?.[0] ?? 0;
  if (!sizes || !times || !chunks) throw new Error("It has no pictures.");
  const samples = sizes[1]!;
  if (everyOther(times.slice(1)) !== samples || samplesOf(chunks.slice(1), chunkCount) !== samples)
    throw new Error("Its tables do not fit together.");
  const offsets = tables.get("ctts");
  if (offsets && everyOther(offsets.slice(1)) > samples) throw new Error("Its tables do not fit together.");
}

/** The words behind version and flags; counts are checked against what is there. */
async function readTable(bytes: ByteReader, { type, start, end }: Box, mostSamples: number): Promise<number[]> {
  const most = 12 * (mostSamples + 2);
  const content = Buffer.from(await bytes.read(start, Math.min(end - start, most)));
  const words: number[] = [];
  for (let at = 4; at + 4 <= content.length; at += 4) words.push(content.readUInt32BE(at));
  const isSizes = type === "stsz";
  const count = words[isSizes ? 1 : 0];
  // A size for all samples, or one for each.
  const needed = isSizes ? 12 + (words[0] === 0 ? 4 * (count ?? 0) : 0) : 8 + (entryBytes[type] ?? 0) * (count ?? 0);
  if (count === undefined || count > mostSamples || needed > content.length)
    throw new Error(`Its table ${type} claims ${count} entries.`);
  return words.slice(0, Math.ceil((needed - 4) / 4));
}

/** The sum of the first words of pairs. */
function everyOther(words: readonly number[]): number {
  return words.reduce((sum, word, index) => (index % 2 === 0 ? sum + word : sum), 0);
}

/** Samples in all chunks: entries of first chunk (from 1), samples in each chunk from there on, description. */
function samplesOf(words: readonly number[], chunkCount: number): number {
  let samples = 0;
  for (let at = 0; at < words.length; at += 3) {
    const first = words[at]!;
    const next = words[at + 3] ?? chunkCount + 1;
    if (first < 1 || next <= first || (at === 0 && first !== 1)) return NaN;
    samples += (next - first) * words[at + 1]!;
  }
  return samples;
}
