// The picture a video begins with: what comes out of files of every kind, and what is said of those that are damaged.
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pictureInFrame } from "../../../contract/settings/picture-size.ts";
import { decodePicture, loadSharp } from "../../../app/media/decode-picture.ts";
import { readPictureRgb, readPictureSize, readWholePictureSize } from "../../../app/media/input-picture.ts";
import { randomNumbers } from "../../random-numbers.ts";

/** What the program decodes with makes the pictures too. */
const sharp = await loadSharp();

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "rushes-pictures-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const red = { r: 255, g: 0, b: 0 };
const plain = (width: number, height: number, background: object = red) =>
  sharp({ create: { width, height, channels: "alpha" in background ? 4 : 3, background } });

/** The colour at a place of the frame, 0..1 of its sides. */
function colourAt(rgb: Uint8Array, frame: { width: number; height: number }, across: number, down: number): number[] {
  const at = Math.floor(down * frame.height) * frame.width + Math.floor(across * frame.width);
  return [...rgb.subarray(3 * at, 3 * at + 3)];
}

describe("a picture of every kind", () => {
  const frame = { width: 32, height: 32 };
  const middle = async (name: string, bytes: Buffer) =>
    colourAt(await readPictureRgb(file(name, bytes), frame, "fill"), frame, 0.5, 0.5);

  test("PNG, JPEG and WebP, grey, with a palette, of 16 bits, in CMYK", async () => {
    const grey = { r: 120, g: 120, b: 120 };
    expect(await middle("a.png", await plain(40, 20).png().toBuffer())).toEqual([255, 0, 0]);
    expect(await middle("a.webp", await plain(40, 20).webp({ lossless: true }).toBuffer())).toEqual([255, 0, 0]);
    expect(await middle("palette.png", await plain(40, 20).png({ palette: true }).toBuffer())).toEqual([255, 0, 0]);
    expect(await middle("deep.png", await plain(40, 20).toColourspace("rgb16").png().toBuffer())).toEqual([255, 0, 0]);
    expect(await middle("grey.png", await plain(40, 20, grey).greyscale().png().toBuffer())).toEqual([120, 120, 120]);
    for (const value of await middle("a.jpg", await plain(40, 20, grey).jpeg().toBuffer()))
      expect(Math.abs(value - 120)).toBeLessThan(3);
    const [r = 0, g = 0, b = 0] = await middle("cmyk.jpg", await plain(40, 20).toColourspace("cmyk").jpeg().toBuffer());
    expect([r > 180, g < 80, b < 80]).toEqual([true, true, true]);
  });

  test("its colours come in sRGB: the same red of a wider space is another triple", async () => {
    const profiled = await plain(40, 20, { r: 200, g: 60, b: 60 }).withIccProfile("p3").png().toBuffer();
    // Without the profile's meaning the file's own numbers would come out.
    expect((await sharp(profiled, { ignoreIcc: true }).raw().toBuffer())[0]).toBeLessThan(195);
    for (const [index, value] of (await middle("p3.png", profiled)).entries())
      expect(Math.abs(value - [200, 60, 60][index]!)).toBeLessThan(4);
  });

  test("what is transparent lies over white", async () => {
    const half = await plain(40, 20, { ...red, alpha: 0.5 })
      .png()
      .toBuffer();
    expect(await middle("half.png", half)).toEqual([255, 127, 127]);
  });

  test("the first picture of an animation", async () => {
    const frames = [red, { r: 0, g: 255, b: 0 }].map((colour) => plain(16, 16, colour).png().toBuffer());
    const animation = await sharp(await Promise.all(frames), { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer();
    const path = file("animation.webp", animation);
    expect(await readPictureSize(path)).toEqual({ width: 16, height: 16 });
    expect(await middle("animation.webp", animation)).toEqual([255, 0, 0]);
  });

  test.each([1, 3, 6, 8])("turned as its orientation %i says", async (orientation) => {
    // Red at the left, blue at the right of what is to be looked at.
    const upright = new Uint8Array(3 * 40 * 20);
    for (let at = 0; at < 40 * 20; at++) upright[3 * at + (at % 40 < 20 ? 0 : 2)] = 255;
    const back = { 1: 0, 3: 180, 6: 270, 8: 90 }[orientation] ?? 0;
    const stored = sharp(upright, { raw: { width: 40, height: 20, channels: 3 } }).rotate(back);
    const path = file(`turned-${orientation}.jpg`, await stored.withMetadata({ orientation }).jpeg().toBuffer());
    expect(await readPictureSize(path)).toEqual({ width: 40, height: 20 });
    const rgb = await readPictureRgb(path, { width: 40, height: 20 }, "stretch");
    const [left, right] = [0.2, 0.8].map((across) => colourAt(rgb, { width: 40, height: 20 }, across, 0.5));
    expect([left![0]! > 200, right![2]! > 200]).toEqual([true, true]);
  });
});

describe("a picture of another shape than the frame", () => {
  // A white cross through the middle of a red picture with blue edges tells where it lies.
  const size = { width: 60, height: 30 };
  const marked = () => {
    const data = new Uint8Array(3 * size.width * size.height);
    for (let at = 0; at < size.width * size.height; at++) {
      const [x, y] = [at % size.width, Math.floor(at / size.width)];
      const edge = x < 4 || y < 4 || x >= size.width - 4 || y >= size.height - 4;
      data[3 * at + (edge ? 2 : 0)] = 255;
    }
    return file("marked.png", encode({ ...size, channels: 3, data }));
  };

  test.each(["fill", "fit", "stretch"] as const)("%s lies where the window shows it", async (fit) => {
    const path = marked();
    for (const frame of [
      { width: 48, height: 96 },
      { width: 96, height: 32 },
      { width: 64, height: 64 },
    ]) {
      const rgb = await readPictureRgb(path, frame, fit);
      expect(rgb).toHaveLength(3 * frame.width * frame.height);
      const place = pictureInFrame(size, frame, fit);
      for (let y = 0; y < frame.height; y++)
        for (let x = 0; x < frame.width; x++) {
          const across = ((x + 0.5 - place.left) / place.width) * size.width;
          const down = ((y + 0.5 - place.top) / place.height) * size.height;
          const borders = [0, 4, size.width - 4, size.width].map(
            (at) => (Math.abs(across - at) * place.width) / size.width,
          );
          const others = [0, 4, size.height - 4, size.height].map(
            (at) => (Math.abs(down - at) * place.height) / size.height,
          );
          // Beside an edge colours mix.
          const blur = 1.5 + Math.max(place.width / size.width, place.height / size.height);
          if (Math.min(...borders, ...others) < blur) continue;
          const outside = across < 0 || down < 0 || across > size.width || down > size.height;
          const edge = across < 4 || down < 4 || across > size.width - 4 || down > size.height - 4;
          const expected = outside ? [0, 0, 0] : edge ? [0, 0, 255] : [255, 0, 0];
          expect([...rgb.subarray(3 * (y * frame.width + x), 3 * (y * frame.width + x) + 3)], `${x} ${y}`).toEqual(
            expected,
          );
        }
    }
  });

  test("is made smaller with a triangle filter as wide as the step, as bilinear with antialias is", async () => {
    const random = randomNumbers(3);
    const [from, to] = [
      { width: 45, height: 39 },
      { width: 16, height: 16 },
    ];
    const data = Uint8Array.from({ length: 3 * from.width * from.height }, () => Math.floor(random() * 256));
    const rgb = await readPictureRgb(file("noise.png", encode({ ...from, channels: 3, data })), to, "stretch");
    const weights = (target: number, scale: number, count: number) => {
      const all = Array.from({ length: count }, (_, at) =>
        Math.max(0, 1 - Math.abs(at + 0.5 - (target + 0.5) * scale) / scale),
      );
      const sum = all.reduce((total, each) => total + each, 0);
      return all.map((each) => each / sum);
    };
    let worst = 0;
    // At the outermost pixels libvips repeats the picture's edge where others leave the filter's end out.
    for (let y = 1; y < to.height - 1; y++)
      for (let x = 1; x < to.width - 1; x++) {
        const [across, down] = [
          weights(x, from.width / to.width, from.width),
          weights(y, from.height / to.height, from.height),
        ];
        let value = 0;
        for (const [v, weight] of down.entries())
          for (const [u, other] of across.entries()) value += weight * other * data[3 * (v * from.width + u)]!;
        worst = Math.max(worst, Math.abs(value - rgb[3 * (y * to.width + x)]!));
      }
    expect(worst).toBeLessThan(1.5);
  });
});

describe("what cannot be used is file.unreadable, in one sentence", () => {
  const unreadable = async (path: string, sentence: RegExp) => {
    const refusal = { code: "file.unreadable", message: expect.stringMatching(sentence) as string };
    await expect(readPictureSize(path)).rejects.toMatchObject(refusal);
    await expect(readPictureRgb(path, { width: 16, height: 16 }, "fill")).rejects.toMatchObject(refusal);
  };

  test("no file, a folder, other files, more bytes than a picture has", async () => {
    await unreadable(join(folder, "none.png"), /cannot be read/);
    await unreadable(folder, /cannot be read/);
    await unreadable(file("words.png", Buffer.from("words")), /is no picture/);
    await unreadable(file("drawing.svg", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>")), /is no picture/);
    const large = file("large.png", await plain(8, 8).png().toBuffer());
    truncateSync(large, 100_000_001);
    await unreadable(large, /larger than the 100 MB/);
  });

  test("a head that promises more pixels than a picture may have", async () => {
    const bytes = await plain(8, 8).png().toBuffer();
    bytes.writeUInt32BE(60_000, 16);
    bytes.writeUInt32BE(60_000, 20);
    // The checksum is what it should be: the lie is all that is wrong.
    const { crc32 } = await import("node:zlib");
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    await unreadable(file("huge.png", bytes), /million pixels/);
  });

  test("a picture that was cut off", async () => {
    for (const [name, bytes] of [
      ["cut.jpg", await plain(64, 64).jpeg().toBuffer()],
      ["cut.png", await plain(64, 64).png({ compressionLevel: 0 }).toBuffer()],
      ["cut.webp", await plain(64, 64).webp({ lossless: true }).toBuffer()],
    ] as const) {
      const path = file(name, bytes.subarray(0, Math.floor(bytes.length * 0.7)));
      await expect(readPictureRgb(path, { width: 16, height: 16 }, "fill"), name).rejects.toMatchObject({
        code: "file.unreadable",
      });
    }
  });

  test("whose head is whole has a size, but is no whole picture", async () => {
    const bytes = await plain(64, 64).png({ compressionLevel: 0 }).toBuffer();
    const [whole, cut] = [file("whole.png", bytes), file("half.png", bytes.subarray(0, Math.floor(bytes.length / 2)))];
    expect(await readPictureSize(cut)).toEqual({ width: 64, height: 64 });
    await expect(readWholePictureSize(cut)).rejects.toMatchObject({ code: "file.unreadable" });
    expect(await readWholePictureSize(whole)).toEqual({ width: 64, height: 64 });
  });

  test("for a while only is asked for again", async () => {
    const path = file("locked.png", await plain(64, 64).png().toBuffer());
    chmodSync(folder, 0o755);
    chmodSync(path, 0o000);
    // Nothing is locked to root.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65534);
    try {
      await unreadable(path, /cannot be read/);
    } finally {
      if (root) process.seteuid?.(0);
    }
    chmodSync(path, 0o644);
    expect(await readPictureSize(path)).toEqual({ width: 64, height: 64 });
  });

  test("a job that is cancelled does not wait for its picture", async () => {
    const path = file("ball.png", await plain(64, 64).png().toBuffer());
    const controller = new AbortController();
    const reading = readPictureRgb(path, { width: 16, height: 16 }, "fill", controller.signal);
    controller.abort();
    await expect(reading).rejects.toMatchObject({ code: "job.cancelled" });
  });
});

test(
  "pictures changed at random places give a picture or an error, and the decoder works on",
  { timeout: 120_000 },
  async () => {
    expect(sharp.versions).toHaveProperty("emscripten");
    const random = randomNumbers(11);
    const noise = Uint8Array.from({ length: 3 * 24 * 18 }, () => Math.floor(random() * 256));
    const raw = () => sharp(noise, { raw: { width: 24, height: 18, channels: 3 } });
    const seeds = await Promise.all([
      raw().png().toBuffer(),
      raw().png({ palette: true }).toBuffer(),
      raw().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
      raw().jpeg({ progressive: true }).toBuffer(),
      raw().webp().toBuffer(),
      raw().webp({ lossless: true }).toBuffer(),
    ]);
    let [pictures, refusals] = [0, 0];
    for (let round = 0; round < 600; round++) {
      const bytes = Uint8Array.from(seeds[round % seeds.length]!);
      for (let change = 0; change <= random() * 6; change++)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const cut = random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
      const wanted = { frame: { width: 16, height: 16 }, fit: "fill" } as const;
      await decodePicture(sharp, { bytes: cut, mostPixels: 1e6, wanted }).then(
        (answer) => {
          expect(answer).toMatchObject({ width: 16, height: 16, channels: 3 });
          pictures++;
        },
        (error: unknown) => {
          expect(error).toBeInstanceOf(Error);
          refusals++;
        },
      );
    }
    expect([pictures > 20, refusals > 100]).toEqual([true, true]);
    const [good] = seeds;
    await decodePicture(sharp, { bytes: good!, mostPixels: 1e6, wanted: "size" });
  },
);
