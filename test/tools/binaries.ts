// Heads of native libraries as the packing checks read them, and an ELF library with a dynamic section.

export const elf = (machine: number) => {
  const bytes = Buffer.alloc(64);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]).copy(bytes);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
};

export const mach = (processor: number) => {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(0xfeed_facf, 0);
  bytes.writeUInt32LE(processor, 4);
  return bytes;
};

export const windows = (machine: number) => {
  const bytes = Buffer.alloc(128);
  bytes.write("MZ", 0, "latin1");
  bytes.writeUInt32LE(80, 0x3c);
  bytes.write("PE\0\0", 80, "latin1");
  bytes.writeUInt16LE(machine, 84);
  return bytes;
};

/** Two sections: the dynamic entries, and their names. */
export function elfNeeding(machine: number, needed: readonly string[]): Buffer {
  const head = elf(machine);
  const names = Buffer.from(`\0${needed.join("\0")}\0`, "latin1");
  const entries = needed.map((name) => {
    const entry = Buffer.alloc(16);
    entry.writeBigUInt64LE(1n, 0);
    entry.writeBigUInt64LE(BigInt(names.indexOf(`${name}\0`, 0, "latin1")), 8);
    return entry;
  });
  // 14: the library's own name, which is no need of it; 0: the end.
  const dynamic = Buffer.concat([...entries, Buffer.from([14]), Buffer.alloc(31)]);
  const namesAt = head.length + dynamic.length;
  head.writeBigUInt64LE(BigInt(namesAt + names.length), 0x28);
  head.writeUInt16LE(64, 0x3a);
  head.writeUInt16LE(2, 0x3c);
  const sections = [section(6, head.length, dynamic.length, 1), section(3, namesAt, names.length, 0)];
  return Buffer.concat([head, dynamic, names, ...sections]);
}

function section(type: number, offset: number, size: number, link: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(type, 4);
  bytes.writeBigUInt64LE(BigInt(offset), 0x18);
  bytes.writeBigUInt64LE(BigInt(size), 0x20);
  bytes.writeUInt32LE(link, 0x28);
  return bytes;
}
