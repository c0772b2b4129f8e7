// What an export and its picture thread say to each other.

export interface Rgb {
  /** width * height * 3 bytes. */
  rgb: Uint8Array;
  width: number;
  height: number;
}

/** Every task: what it takes and what comes back. */
export interface PictureTasks {
  /** A PNG, with text chunks by keyword (Latin-1). */
  png: { given: Rgb & { text?: Record<string, string> }; result: Uint8Array };
  /** Adds a picture's colours to those the GIF's palette is chosen from. */
  gifColours: { given: Rgb & { share: number }; result: null };
  /** The next frame; the first brings the file's head with it. Delay in hundredths of a second. */
  gifFrame: { given: Rgb & { delay: number }; result: Uint8Array };
  gifEnd: { given: object; result: Uint8Array };
}

export type PictureTask = keyof PictureTasks;
export type ToPictureThread = { id: number; task: PictureTask; given: unknown };
export type FromPictureThread = { id: number; result: unknown } | { id: number; failure: string };
