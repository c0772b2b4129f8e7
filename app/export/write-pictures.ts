// A clip as one PNG a frame: 0001.png, 0002.png, ..., the settings as text inside the first.
import type { SourceClip } from "../media/read-clip.ts";
import { asciiRecord, pngKeyword, type VideoRecord } from "../media/video-record.ts";
import type { Append } from "../media/whole-file.ts";
import type { ExportRun } from "./export-run.ts";

export interface PictureFile {
  name: string;
  bytes: Uint8Array;
}

/** The files one after the other, at the pace at which they are taken. */
export async function* pictureFiles(
  run: ExportRun,
  clip: SourceClip,
  record: VideoRecord | null,
): AsyncGenerator<PictureFile, void> {
  const { width, height, packets } = clip;
  const digits = Math.max(4, `${packets.length}`.length);
  const encoder = run.pictureEncoder();
  let count = 0;
  for await (const rgb of run.pictures(clip)) {
    const text = count === 0 && record ? { [pngKeyword]: asciiRecord(record) } : undefined;
    const bytes = await encoder.run("png", { rgb, width, height, ...(text ? { text } : {}) });
    yield { name: `${`${++count}`.padStart(digits, "0")}.png`, bytes };
    run.progress(count / packets.length);
  }
}

/** The files inside a folder of one zip file, stored as they are: PNG is compressed already. */
export async function writeZip(files: AsyncIterable<PictureFile>, folder: string, append: Append): Promise<void> {
  const { makeZip } = await import("client-zip");
  const lastModified = new Date();
  const entries = async function* () {
    for await (const { name, bytes } of files)
      yield { name: `${folder}/${name}`, input: bytes as Uint8Array<ArrayBuffer>, lastModified };
  };
  for await (const bytes of makeZip(entries())) await append(bytes);
}
