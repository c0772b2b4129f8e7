// Which kind of picture a file is, told by its first bytes and not by its name.

/** Endings of the pictures Rushes takes, with their media types. */
export const pictureTypes = { png: "image/png", jpg: "image/jpeg", webp: "image/webp" } as const;
export type PictureEnding = keyof typeof pictureTypes;

/** Bytes that tell the kind. */
export const pictureHeadBytes = 12;
/** The largest picture that is taken. */
export const mostPictureBytes = 100_000_000;

/** null where it is none of them. */
export function pictureEndingOf(head: Buffer): PictureEnding | null {
  const text = head.toString("latin1");
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpg";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "webp";
  return null;
}
