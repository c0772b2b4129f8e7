// What lies in a zip file, by its own list at the end: small files without comment and without zip64, which is all that an
// export of a few frames is.
import { crc32 } from "node:zlib";

/** An entry of the list. */
export interface ZipEntry {
  readonly name: string;
  /** 0: stored. */
  readonly method: number;
  readonly bytes: number;
  /** Whether the entry's own head lies where the list says, with the same name, and its bytes have the listed checksum. */
  readonly isWhole: boolean;
}

const endLength = 22;

/** The entries of a zip file in the order of its list; throws a RangeError where there is no list. */
export function zipEntries(zip: Buffer): ZipEntry[] {
  const end = zip.length - endLength;
  if (!zip.subarray(end).toString("latin1").startsWith("PK\x05\x06")) throw new RangeError("This is no zip file.");
  const entries: ZipEntry[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(at + 28);
    const nameAt = at + 46;
    const name = zip.subarray(nameAt, nameAt + nameLength);
    const bytes = zip.readUInt32LE(at + 20);
    entries.push({
      name: name.toString(),
      method: zip.readUInt16LE(at + 10),
      bytes,
      isWhole: isWhole(zip, zip.readUInt32LE(at + 42), name, bytes, zip.readUInt32LE(at + 16)),
    });
    at = nameAt + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}

function isWhole(zip: Buffer, head: number, name: Buffer, bytes: number, checksum: number): boolean {
  const from = head + 30 + zip.readUInt16LE(head + 26) + zip.readUInt16LE(head + 28);
  return (
    zip.subarray(head, head + 4).toString("latin1") === "PK\x03\x04" &&
    zip.subarray(head + 30, head + 30 + name.length).equals(name) &&
    crc32(zip.subarray(from, from + bytes)) === checksum
  );
}
