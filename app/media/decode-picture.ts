// A picture's bytes to its size or to RGB, by sharp as WebAssembly. Only input-picture-thread.ts runs this in the program.
import { registerHooks } from "node:module";
import type { PictureAnswer, PictureQuestion } from "./input-picture.ts";

type Sharp = (typeof import("sharp"))["default"];

/** sharp in its WebAssembly form, whichever others are installed: a picture made to harm its decoder reaches nothing outside
 * the module's own memory, and the native form cannot share a process with Electron's GLib on Linux (lovell/sharp#4525). */
export async function loadSharp(): Promise<Sharp> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      next(/^@img\/sharp-[\w-]+\/sharp\.node$/.test(specifier) ? "@img/sharp-wasm32/sharp.node" : specifier, context),
  });
  try {
    const { default: sharp } = await import("sharp");
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({
      operation: ["VipsForeignLoadPngBuffer", "VipsForeignLoadJpegBuffer", "VipsForeignLoadWebpBuffer"],
    });
    return sharp;
  } finally {
    hooks.deregister();
  }
}

const fits = { fill: "cover", fit: "contain", stretch: "fill" } as const;

/** Rejects with the decoder's own words where the picture is damaged or too large. */
export async function decodePicture(sharp: Sharp, question: PictureQuestion): Promise<PictureAnswer> {
  const { bytes, mostPixels, wanted } = question;
  // "error": what is cut off or broken is refused; a decoder's mere remarks, which many cameras' files call forth, are not.
  const picture = sharp(bytes, { failOn: "error", limitInputPixels: mostPixels, pages: 1 });
  if (wanted === "size" || wanted === "whole") {
    const { autoOrient, width, height } = await picture.metadata();
    if (wanted === "whole")
      await picture.resize({ width: 1, height: 1, fit: "fill", fastShrinkOnLoad: false }).toBuffer();
    return { size: autoOrient, pixels: width * height };
  }
  const { data, info } = await picture
    .autoOrient()
    .flatten({ background: "white" })
    .resize({
      ...wanted.frame,
      fit: fits[wanted.fit],
      position: "centre",
      background: "black",
      // The triangle filter, widened where the picture gets smaller: what the models' own scripts resize with (bilinear with
      // antialias). From a fourth of the size on libvips averages whole blocks of pixels before it, which no eye and no
      // model tells apart.
      kernel: "linear",
      // The JPEG decoder's own shrinking is another filter.
      fastShrinkOnLoad: false,
    })
    .toColourspace("srgb")
    .removeAlpha()
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { rgb: new Uint8Array(data), width: info.width, height: info.height, channels: info.channels };
}
