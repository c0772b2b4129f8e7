// The picture a video begins with, from its file to RGB of the frame's size. Files may come from anywhere: only PNG, JPEG and
// WebP are read, within bounds, and whatever is wrong with one is file.unreadable. Where the shape of the frame comes from is
// contract/settings/picture-size.ts; copies of pictures in the library are app/studio/kept-inputs.ts.
import { basename } from "node:path";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import type { PictureFit } from "../../contract/settings/picture-size.ts";
import type { FrameSize } from "../../contract/settings/resolution.ts";
import { openFile } from "./byte-reader.ts";
import { mostPictureBytes, type PictureEnding, pictureEndingOf, pictureHeadBytes } from "./picture-type.ts";

/** Larger ones are what no camera makes: decoded, this is 400 MB. */
export const mostPicturePixels = 2 ** 27;
/** A picture that is made to be slow is given up, seconds. */
const patienceSeconds = 60;

const fits = { fill: "cover", fit: "contain", stretch: "fill" } as const satisfies Record<PictureFit, string>;

type Sharp = (typeof import("sharp"))["default"];

/** The picture's size as it is meant to be looked at, its orientation applied. Throws file.unreadable. */
export async function readPictureSize(path: string): Promise<FrameSize> {
  const { bytes } = await readPictureFile(path);
  return withSharp(path, async (sharp) => {
    const { autoOrient, width, height } = await opened(sharp, bytes).metadata();
    if (width * height > mostPicturePixels) throw tooLarge(path, { width, height });
    return { width: autoOrient.width, height: autoOrient.height };
  });
}

/** The picture as the frame shows it: RGB, frame.width * frame.height * 3 bytes. Turned as its orientation says, its
 * colours brought to sRGB, transparency over white, the first picture of an animation. Throws file.unreadable. */
export async function readPictureRgb(path: string, frame: FrameSize, fit: PictureFit): Promise<Uint8Array> {
  const { bytes } = await readPictureFile(path);
  return withSharp(path, async (sharp) => {
    const { data, info } = await opened(sharp, bytes)
      .autoOrient()
      .flatten({ background: "white" })
      .resize({
        ...frame,
        fit: fits[fit],
        position: "centre",
        background: "black",
        // The triangle filter, widened where the picture gets smaller: what the models' own scripts resize with (bilinear
        // with antialias). From a fourth of the size on libvips averages whole blocks of pixels before it, which no eye and
        // no model tells apart.
        kernel: "linear",
        // The JPEG decoder's own shrinking is another filter.
        fastShrinkOnLoad: false,
      })
      .toColourspace("srgb")
      .removeAlpha()
      .raw({ depth: "uchar" })
      .timeout({ seconds: patienceSeconds })
      .toBuffer({ resolveWithObject: true });
    if (info.width !== frame.width || info.height !== frame.height || info.channels !== 3)
      throw new Error(`The decoder gave ${info.width}x${info.height} in ${info.channels} channels.`);
    return new Uint8Array(data);
  });
}

function opened(sharp: Sharp, bytes: Buffer) {
  // "error": what is cut off or broken is refused; a decoder's mere remarks, which many cameras' files call forth, are not.
  return sharp(bytes, { failOn: "error", limitInputPixels: mostPicturePixels, pages: 1 });
}

let loading: Promise<Sharp> | null = null;

/** Only jobs with a picture wait for the library. */
function loadSharp(): Promise<Sharp> {
  loading ??= import("sharp").then(({ default: sharp }) => {
    // Each picture is read once; what libvips would keep is the job's memory.
    sharp.cache(false);
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({
      operation: ["VipsForeignLoadPngBuffer", "VipsForeignLoadJpegBuffer", "VipsForeignLoadWebpBuffer"],
    });
    return sharp;
  });
  return loading;
}

async function withSharp<T>(path: string, work: (sharp: Sharp) => Promise<T>): Promise<T> {
  let sharp: Sharp;
  try {
    sharp = await loadSharp();
  } catch (error) {
    throw new RushesError("engine.unavailable", {
      sentence: "The part of Rushes that reads pictures cannot be loaded.",
      advice: "Install Rushes again; from the sources, run `npm ci`.",
      detail: asRushesError(error).message,
      cause: error,
    });
  }
  try {
    return await work(sharp);
  } catch (error) {
    if (error instanceof RushesError) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    if (/exceeds pixel limit/i.test(detail)) throw tooLarge(path, null);
    throw new RushesError("file.unreadable", {
      sentence: `${basename(path)} is damaged or is no picture that can be read.`,
      advice: "Open it in an image editor, save it as PNG, and choose that file.",
      detail,
      cause: error,
    });
  }
}

/** A picture's file as it is, and its kind by its first bytes. Throws file.unreadable. */
export async function readPictureFile(path: string): Promise<{ bytes: Buffer; ending: PictureEnding }> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    if (size > mostPictureBytes) throw refused(path, "is larger than the 100 MB a picture may have");
    const bytes = await file.readFile();
    const ending = pictureEndingOf(bytes.subarray(0, pictureHeadBytes));
    if (ending === null) throw refused(path, "is no picture (PNG, JPEG, WebP)");
    return { bytes, ending };
  } finally {
    await file.close();
  }
}

function tooLarge(path: string, size: FrameSize | null): RushesError {
  const most = `the ${Math.floor(mostPicturePixels / 1e6)} million pixels a picture may have`;
  return refused(path, size ? `has ${size.width}x${size.height} pixels, more than ${most}` : `has more than ${most}`);
}

function refused(path: string, why: string): RushesError {
  return new RushesError("file.unreadable", { sentence: `${path} ${why}.`, advice: "Choose another picture." });
}
