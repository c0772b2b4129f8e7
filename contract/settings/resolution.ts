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
const largest = 4096;

/** The size of "480p", "720p" (in an aspect of the catalogue) or "WIDTHxHEIGHT"; null when it is none of them. */
export function sizeOfResolution(resolution: string, aspectRatio: string): FrameSize | null {
  const named = namedSizes[resolution]?.[aspectRatio];
  if (named) return named;
  const pixels = /^(\d{1,5})\s*[x×*]\s*(\d{1,5})$/i.exec(resolution.trim());
  if (!pixels) return null;
  const size = { width: Number(pixels[1]), height: Number(pixels[2]) };
  return isSide(size.width) && isSide(size.height) ? size : null;
}

export function isResolution(resolution: string): boolean {
  return sizeOfResolution(resolution, "16:9") !== null;
}

export function formatSize({ width, height }: FrameSize): string {
  return `${width}x${height}`;
}

function isSide(side: number): boolean {
  return side >= smallest && side <= largest && side % 16 === 0;
}
