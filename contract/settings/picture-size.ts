// The frame of a video that begins with a picture: the size that takes the picture's shape, and where a picture of another
// shape comes to lie in a frame. The studio sizes jobs by it and the window draws its preview by it.
import { type FrameSize, largestSides } from "./resolution.ts";

const step = 16;

/** The chosen size's area in the picture's shape, in multiples of 16 (thu-ml/TurboDiffusion
 * turbodiffusion/inference/wan2.2_i2v_infer.py, --adaptive_resolution, which rounds half to even as Python does); a
 * smaller area where a video that large could not be written. */
export function adaptiveSize(chosen: FrameSize, picture: FrameSize): FrameSize {
  const area = chosen.width * chosen.height;
  const ratio = picture.height / picture.width;
  const [width, height] = [Math.sqrt(area / ratio), Math.sqrt(area * ratio)];
  const scale = Math.min(1, largestSides.shorter / Math.min(width, height));
  return { width: roundedSide(width * scale), height: roundedSide(height * scale) };
}

function roundedSide(ideal: number): number {
  return Math.min(largestSides.longer, Math.max(step, step * roundHalfToEven(ideal / step)));
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** How a picture of another shape fills a frame: cut at the edges, with black beside it, or pulled. */
export type PictureFit = "fill" | "fit" | "stretch";

/** Where the whole picture lies, in pixels of the frame; with "fill" its edges lie outside. */
export interface PicturePlace {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The picture is centred. */
export function pictureInFrame(picture: FrameSize, frame: FrameSize, fit: PictureFit): PicturePlace {
  if (fit === "stretch") return { left: 0, top: 0, ...frame };
  const across = frame.width / picture.width;
  const down = frame.height / picture.height;
  const scale = fit === "fill" ? Math.max(across, down) : Math.min(across, down);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return { left: (frame.width - width) / 2, top: (frame.height - height) / 2, width, height };
}
