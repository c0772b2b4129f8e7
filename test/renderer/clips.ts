// What the clips of clip-server.ts are like, known to both sides.
export const clipFrames = 17;
export const clipFps = 16;
export const clipWidth = 128;
export const clipHeight = 96;
/** Luma in limited range. */
export const greyStep = 8;

/** Results whose number ends in 99 have no file. */
export function clipKind(id: number): number | "missing" {
  return id % 100 === 99 ? "missing" : id % 4;
}

export function firstGrey(kind: number): number {
  return 30 + kind * 10;
}

/** The grey (0..255) a frame of a result is shown in. */
export function greyOf(id: number, frame: number): number {
  const kind = clipKind(id);
  if (kind === "missing") return 0;
  return ((firstGrey(kind) + greyStep * frame - 16) * 255) / 219;
}
