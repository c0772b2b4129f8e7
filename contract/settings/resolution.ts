// Sizes of the named resolutions. The table is TurboDiffusion's (thu-ml/TurboDiffusion README.md, "resolution" and
// "aspect_ratio" of its inference scripts).

export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

const namedSizes: Readonly<Record<string, Readonly<Record<string, FrameSize>>>> = {
  "480p": {
    "16:9": { width: 832, height: 480 },
    "4:3": { width: 640, height: 480 },
    "1:1": { width: 640, height: 640 },
    "3:4": { width: 480, height: 640 },
    "9:16": { width: 480, height: 832 },
  },
  "720p": {
    "16:9": { width: 1280, height: 720 },
    "4:3": { width: 960, height: 720 },
    "1:1": { width: 960, height: 960 },
    "3:4": { width: 720, height: 960 },
    "9:16": { width: 720, height: 1280 },
  },
};

const smallest = 16;

/** The sides of the largest video that can be written, either way round: H.264's level 5.2, where OpenH264 ends (the
 * engine's limits are in addon/src/media/h264_encoder.h). */
export const largestSides = { longer: 4096, shorter: 2304 } as const;

/** The longest that one side may be beside the other. */
export function longestBeside(other: number): number {
  return other > largestSides.shorter ? largestSides.shorter : largestSides.longer;
}

/** The size of "480p", "720p" (in an aspect of the catalogue) or "WIDTHxHEIGHT"; null when it is none of them. */
export function sizeOfResolution(resolution: string, aspectRatio: string): FrameSize | null {
  const named = namedSizes[resolution]?.[aspectRatio];
  if (named) return named;
  const pixels = /^(\d{1,5})\s*[x×*]\s*(\d{1,5})$/i.exec(resolution.trim());
  if (!pixels) return null;
  const size = { width: Number(pixels[1]), height: Number(pixels[2]) };
  const fits = isSide(size.width, size.height) && isSide(size.height, size.width);
  return fits ? size : null;
}

export function isResolution(resolution: string): boolean {
  return sizeOfResolution(resolution, "16:9") !== null;
}

export function formatSize({ width, height }: FrameSize): string {
  return `${width}x${height}`;
}

function isSide(side: number, other: number): boolean {
  return side >= smallest && side <= longestBeside(other) && side % 16 === 0;
}
