// The part of gifenc that is used; the package brings no types.
declare module "gifenc" {
  export type Palette = number[][];
  export type ColourFormat = "rgb565" | "rgb444" | "rgba4444";

  export interface FrameOptions {
    /** The first frame's becomes the global one; later ones are local. */
    palette?: Palette;
    /** Milliseconds, written as hundredths of a second. */
    delay?: number;
    /** 0: for ever; -1: once. */
    repeat?: number;
    transparent?: boolean;
    transparentIndex?: number;
    dispose?: number;
  }

  export interface Encoder {
    writeFrame(index: Uint8Array, width: number, height: number, options?: FrameOptions): void;
    finish(): void;
    /** A copy of what the stream holds. */
    bytes(): Uint8Array;
    readonly stream: { reset(): void };
  }

  interface Gifenc {
    GIFEncoder(options?: { auto?: boolean; initialCapacity?: number }): Encoder;
    quantize(rgba: Uint8Array, most: number, options?: { format?: ColourFormat }): Palette;
    applyPalette(rgba: Uint8Array, palette: Palette, format?: ColourFormat): Uint8Array;
  }

  const gifenc: Gifenc;
  export { gifenc as "module.exports" };
}
