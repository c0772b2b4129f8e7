// A clip as GIF: looked at once for its colours, then written frame by frame.
import type { SourceClip } from "../media/read-clip.ts";
import type { Append } from "../media/whole-file.ts";
import type { ExportRun } from "./export-run.ts";

/** Pixels a palette is chosen from, of the whole clip. */
const sampledPixels = 2e6;
/** Hundredths of a second; browsers show anything shorter much slower. */
const shortestDelay = 2;

export async function writeGif(run: ExportRun, clip: SourceClip, append: Append): Promise<void> {
  const { width, height, packets } = clip;
  const share = Math.min(1, sampledPixels / (width * height * packets.length));
  const delays = gifDelays(packets.length, clip.frameRate);
  const encoder = run.pictureEncoder();
  let done = 0;
  const passed = () => run.progress(++done / (2 * packets.length));
  for await (const rgb of run.pictures(clip)) {
    await encoder.run("gifColours", { rgb, width, height, share });
    passed();
  }
  let index = 0;
  for await (const rgb of run.pictures(clip)) {
    const delay = delays[index++] ?? 0;
    if (delay > 0) await append(await encoder.run("gifFrame", { rgb, width, height, delay }));
    passed();
  }
  await append(await encoder.run("gifEnd", {}));
}

/** How long each frame is shown, hundredths of a second: whole numbers that keep the clip's time (6, 6, 6, 7 at 16 frames a second).
 * 0 means that the frame is left out, where they come quicker than GIF can show them. */
export function gifDelays(frames: number, frameRate: number): number[] {
  const delays = new Array<number>(frames).fill(0);
  let shown = 0;
  let since = 0;
  for (let frame = 1; frame <= frames; frame++) {
    const now = Math.round((frame * 100) / frameRate);
    if (now - since < shortestDelay && frame < frames) continue;
    delays[shown] = Math.max(shortestDelay, now - since);
    [shown, since] = [frame, now];
  }
  return delays;
}
