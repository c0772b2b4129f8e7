// A GIF, frame by frame, over gifenc: one palette for the whole clip, chosen from colours of all its pictures: a palette a
// frame comes no closer, takes six times as long, and lets what does not move flicker (docs/SPEED.md). Ordered dithering
// hides the steps in skies and walls; its pattern lies still, which error diffusion's does not.
// The package's CommonJS file hides its names from Node.
import { "module.exports" as gifenc, type Palette } from "gifenc";
import type { Rgb } from "./picture-messages.ts";

const mostColours = 256;
/** Of 255 levels, from one end of the pattern to the other. */
const ditherLevels = 12;
const pattern = ditherPattern();

export class GifWriter {
  readonly #encoder = gifenc.GIFEncoder();
  readonly #samples: number[] = [];
  #palette: Palette | null = null;

  /** Takes every n-th pixel so that about `share` of them are looked at. */
  addColours({ rgb, share }: Rgb & { share: number }): void {
    const stride = Math.max(1, Math.round(1 / share));
    // Another beginning each time, so that not only some columns are seen.
    const offset = this.#samples.length % stride;
    for (let at = offset * 3; at + 2 < rgb.length; at += stride * 3)
      this.#samples.push((255 << 24) | (rgb[at + 2]! << 16) | (rgb[at + 1]! << 8) | rgb[at]!);
  }

  /** The bytes of the next frame. Delay in hundredths of a second. */
  frame({ rgb, width, height, delay }: Rgb & { delay: number }): Uint8Array {
    const first = this.#palette === null;
    const palette = (this.#palette ??= this.#choosePalette());
    const index = gifenc.applyPalette(dithered(rgb, width), palette, "rgb565");
    this.#encoder.writeFrame(index, width, height, { delay: delay * 10, repeat: 0, ...(first ? { palette } : {}) });
    return this.#taken();
  }

  end(): Uint8Array {
    this.#encoder.finish();
    return this.#taken();
  }

  #choosePalette(): Palette {
    const colours = Uint8Array.from(new Uint8Array(Int32Array.from(this.#samples).buffer));
    this.#samples.length = 0;
    return gifenc.quantize(colours, mostColours, { format: "rgb444" });
  }

  /** What was written since the last call. */
  #taken(): Uint8Array {
    const bytes = this.#encoder.bytes();
    this.#encoder.stream.reset();
    return bytes;
  }
}

/** RGBA with the pattern added, kept within 0..255. */
function dithered(rgb: Uint8Array, width: number): Uint8Array {
  const pixels = new Uint8ClampedArray((rgb.length / 3) * 4);
  for (let pixel = 0, from = 0, to = 0; from < rgb.length; pixel++, from += 3, to += 4) {
    const shift = pattern[(Math.floor(pixel / width) & 7) * 8 + ((pixel % width) & 7)]!;
    pixels[to] = rgb[from]! + shift;
    pixels[to + 1] = rgb[from + 1]! + shift;
    pixels[to + 2] = rgb[from + 2]! + shift;
    pixels[to + 3] = 255;
  }
  return new Uint8Array(pixels.buffer);
}

/** Bayer's 8 x 8 matrix about zero: neighbours lie as far apart as they can, the mean is none. */
function ditherPattern(): Float32Array {
  return Float32Array.from({ length: 64 }, (_, index) => {
    const [x, y] = [index & 7, index >> 3];
    let rank = 0;
    for (let bit = 0; bit < 3; bit++) rank = rank * 4 + ((((x ^ y) >> bit) & 1) * 2 + ((y >> bit) & 1));
    return (rank / 63 - 0.5) * ditherLevels;
  });
}
