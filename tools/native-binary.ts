// What the head of a native library says: the system and processor it was built for, and of an ELF file the libraries it asks
// its system for.

/** In electron-builder's words: "linux", "darwin" or "win32"; "x64" or "arm64". */
export interface BinaryTarget {
  platform: string;
  arch: string;
}

const elfMachines: Readonly<Record<number, string>> = { 62: "x64", 183: "arm64" };
const machMachines: Readonly<Record<number, string>> = { 0x0100_0007: "x64", 0x0100_000c: "arm64" };
const windowsMachines: Readonly<Record<number, string>> = { 0x8664: "x64", 0xaa64: "arm64" };

/** What a library of 64 bits runs on; null for anything else. */
export function targetOf(bytes: Buffer): BinaryTarget | null {
  const target = (platform: string, arch: string | undefined) => (arch === undefined ? null : { platform, arch });
  if (bytes.length < 64) return null;
  if (isElf(bytes)) return target("linux", elfMachines[bytes.readUInt16LE(18)]);
  if (bytes.readUInt32LE(0) === 0xfeed_facf) return target("darwin", machMachines[bytes.readUInt32LE(4)]);
  if (bytes.toString("latin1", 0, 2) !== "MZ") return null;
  const head = bytes.readUInt32LE(0x3c);
  if (head + 6 > bytes.length || bytes.toString("latin1", head, head + 4) !== "PE\0\0") return null;
  return target("win32", windowsMachines[bytes.readUInt16LE(head + 4)]);
}

/** The names an ELF library is loaded with ("libc.so.6"), as its dynamic section lists them. */
export function neededLibraries(bytes: Buffer): string[] {
  if (!isElf(bytes)) return [];
  const [table, size, count] = [number(bytes, 0x28), bytes.readUInt16LE(0x3a), bytes.readUInt16LE(0x3c)];
  const sections = Array.from({ length: count }, (_, index) => bytes.subarray(table + index * size));
  const dynamic = sections.find((section) => section.readUInt32LE(4) === sectionOfDynamicEntries);
  const names = dynamic && sections[dynamic.readUInt32LE(0x28)];
  if (!dynamic || !names) return [];
  const needed: string[] = [];
  const start = number(dynamic, 0x18);
  for (let entry = start; entry < start + number(dynamic, 0x20); entry += 16) {
    if (number(bytes, entry) !== entryOfNeededName) continue;
    const name = number(names, 0x18) + number(bytes, entry + 8);
    needed.push(bytes.toString("latin1", name, bytes.indexOf(0, name)));
  }
  return needed;
}

const sectionOfDynamicEntries = 6;
const entryOfNeededName = 1;

/** 64 bits, the lowest byte first: the only form that Rushes is built in. */
function isElf(bytes: Buffer): boolean {
  return bytes.subarray(0, 6).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]));
}

function number(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64LE(offset));
}
