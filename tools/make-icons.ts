// Draws the program's icons from renderer/style/mark.svg into packaging/: PNG files by size for Linux, icon.ico for Windows,
// icon.icns for a Mac. Chromium draws. Run by hand when the mark changes: node tools/make-icons.ts.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const root = join(import.meta.dirname, "..");
const folder = join(root, "packaging");
const svg = readFileSync(join(root, "renderer/style/mark.svg"), "utf8");

const linuxSizes = [16, 24, 32, 48, 64, 128, 256, 512];
const windowsSizes = [16, 24, 32, 48, 64, 128, 256];
/** Pixels by the type of an .icns entry. */
const macTypes = {
  icp4: 16,
  icp5: 32,
  ic07: 128,
  ic08: 256,
  ic09: 512,
  ic10: 1024,
  ic11: 32,
  ic12: 64,
  ic13: 256,
  ic14: 512,
};

async function draw(sizes: readonly number[]): Promise<Map<number, Buffer>> {
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args });
  const drawn = new Map<number, Buffer>();
  try {
    const page = await browser.newPage();
    for (const size of sizes) {
      await page.setViewportSize({ width: size, height: size });
      const address = `data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`;
      await page.setContent(
        `<style>body{margin:0;background:none}img{display:block}</style><img width=${size} height=${size} src="${address}">`,
      );
      await page.locator("img").evaluate("(image) => image.decode()");
      drawn.set(size, await page.screenshot({ omitBackground: true, type: "png" }));
    }
  } finally {
    await browser.close();
  }
  return drawn;
}

/** Windows' form: a table of PNG files. */
function ico(pictures: readonly (readonly [number, Buffer])[]): Buffer {
  const header = Buffer.alloc(6 + 16 * pictures.length);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(pictures.length, 4);
  let offset = header.length;
  pictures.forEach(([size, png], index) => {
    const at = 6 + 16 * index;
    // 0 stands for 256.
    header.writeUInt8(size % 256, at);
    header.writeUInt8(size % 256, at + 1);
    header.writeUInt16LE(1, at + 4);
    header.writeUInt16LE(32, at + 6);
    header.writeUInt32LE(png.length, at + 8);
    header.writeUInt32LE(offset, at + 12);
    offset += png.length;
  });
  return Buffer.concat([header, ...pictures.map(([, png]) => png)]);
}

/** A Mac's form: PNG files, each behind its type and length. */
function icns(pictures: readonly (readonly [string, Buffer])[]): Buffer {
  const entry = (type: string, data: Buffer) => {
    const head = Buffer.alloc(8);
    head.write(type, "latin1");
    head.writeUInt32BE(8 + data.length, 4);
    return Buffer.concat([head, data]);
  };
  return entry("icns", Buffer.concat(pictures.map(([type, png]) => entry(type, png))));
}

const drawn = await draw([...new Set([...linuxSizes, ...windowsSizes, ...Object.values(macTypes)])]);
mkdirSync(join(folder, "icons"), { recursive: true });
for (const size of linuxSizes) writeFileSync(join(folder, "icons", `${size}x${size}.png`), drawn.get(size)!);
writeFileSync(join(folder, "icon.ico"), ico(windowsSizes.map((size) => [size, drawn.get(size)!])));
writeFileSync(
  join(folder, "icon.icns"),
  icns(Object.entries(macTypes).map(([type, size]) => [type, drawn.get(size)!])),
);
