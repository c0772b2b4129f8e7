// Builds character maps for the tests: a double-array trie laid out the plain way, every key's bytes as labels.
// The layout rules are those of app/text/charsmap.ts; nothing of its code is used, so that an error there shows.

/** keys -> texts, as tokenizer.json would carry them (before base64). */
export function charsmapBlob(rules: Readonly<Record<string, string>>): Buffer {
  const texts = Buffer.from(
    Object.values(rules)
      .map((text) => `${text}\0`)
      .join(""),
  );
  const units = new Uint32Array(1 << 14);
  const taken = new Set([0]);
  let last = 0;
  type Node = { children: Map<number, Node>; value?: number };
  const root: Node = { children: new Map() };
  let position = 0;
  for (const [key, text] of Object.entries(rules)) {
    let node = root;
    for (const byte of Buffer.from(key)) {
      const child: Node = node.children.get(byte) ?? { children: new Map() };
      node.children.set(byte, child);
      node = child;
    }
    node.value = position;
    position += Buffer.byteLength(text) + 1;
  }
  const place = (node: Node, at: number) => {
    // Children of a unit lie at (position of the unit) ^ offset ^ label, its value at (position ^ offset).
    const labels = [...node.children.keys()];
    let offset = 1;
    const isFree = () => !taken.has(at ^ offset) && labels.every((label) => !taken.has(at ^ offset ^ label));
    while (!isFree()) ++offset;
    units[at]! |= (offset << 10) | (node.value === undefined ? 0 : 0x100);
    for (const slot of [at ^ offset, ...labels.map((label) => at ^ offset ^ label)]) {
      taken.add(slot);
      last = Math.max(last, slot);
    }
    if (node.value !== undefined) units[at ^ offset] = 0x80000000 | node.value;
    for (const [label, child] of node.children) {
      const slot = at ^ offset ^ label;
      units[slot] = label;
      place(child, slot);
    }
  };
  place(root, 0);
  const header = Buffer.alloc(4);
  header.writeUInt32LE((last + 1) * 4);
  return Buffer.concat([header, Buffer.from(units.buffer, 0, (last + 1) * 4), texts]);
}
