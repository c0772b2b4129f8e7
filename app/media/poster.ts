// The poster: a PNG of one RGB picture.

export interface Picture {
  /** width * height * 3 bytes. */
  rgb: Uint8Array;
  width: number;
  height: number;
}

export async function posterBytes({ rgb, width, height }: Picture): Promise<Uint8Array> {
  const { encode } = await import("fast-png");
  return encode({ width, height, data: rgb, channels: 3, depth: 8 });
}
