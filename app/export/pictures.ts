// The pictures of a clip as RGB, a few at a time: whoever takes them sets the pace, so a long video needs no more memory
// than a short one.
import type { EngineClient } from "../engine/client.ts";
import type { SourceClip } from "../media/read-clip.ts";

/** What an export needs of the engine. The calls run beside a generation. */
export type ClipEngine = Pick<EngineClient, "call">;

/** Decoded pictures that may lie in memory at once, bytes. */
const batchBytes = 48e6;
const mostPictures = 16;

/** Every picture in order, [height, width, 3]. Throws file.unreadable where the clip is damaged, job.cancelled when
 * aborted. */
export async function* picturesOf(
  engine: ClipEngine,
  clip: SourceClip,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
  const { packets, width, height } = clip;
  const batch = Math.max(1, Math.min(mostPictures, Math.floor(batchBytes / (width * height * 3))));
  for (let first = 0; first < packets.length; first += batch) {
    const start = keyFrameBefore(clip, first);
    const wanted = packets.slice(start, first + batch).map(({ data }) => data);
    const pictures: Buffer[] = [];
    await engine.call("decodeClip", [{ packets: wanted, width, height }, first - start], {
      ...(signal ? { signal } : {}),
      letGo: true,
      onEvent: (event) => {
        if (event.kind === "frame") pictures.push(event.rgb);
      },
    });
    yield* pictures;
  }
}

function keyFrameBefore({ packets }: SourceClip, index: number): number {
  let at = index;
  while (at > 0 && !packets[at]!.keyFrame) at--;
  return at;
}
