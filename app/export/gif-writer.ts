// A GIF, frame by frame, over gifenc: one palette for the whole clip, chosen from colours of all its pictures. A palette a
// frame is closer in each picture, but colours of things that do not move would flicker.
// The package's CommonJS file hides its names from Node.
import { "module.exports" as gifenc, type Palette } from "gifenc";
import type { Rgb } from "./picture-messages.ts";

const mostColours = 256;

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
    const index = gifenc.applyPalette(rgba(rgb), palette, "rgb565");
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
    return gifenc.quantize(colours, mostColours, { format: "rgb565" });
  }

  /** What was written since the last call. */
  #taken(): Uint8Array {
    const bytes = this.#encoder.bytes();
    this.#encoder.stream.reset();
    return bytes;
  }
}

function rgba(rgb: Uint8Array): Uint8Array {
  const pixels = new Uint8Array((rgb.length / 3) * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    pixels[to] = rgb[from]!;
    pixels[to + 1] = rgb[from + 1]!;
    pixels[to + 2] = rgb[from + 2]!;
    pixels[to + 3] = 255;
  }
  return pixels;
}
