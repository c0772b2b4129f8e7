// A result's video under a playback: the keys that every view with a player has, and its element.
import { untrack } from "svelte";
import type { JobDetail } from "../../contract/job.ts";
import type { FramePlayback } from "../parts/frame-playback.svelte.ts";
import { onShortcut } from "../state/shortcuts.ts";

/** Play, one frame back, one forward; until the returned function is called. */
export function playbackShortcuts(playback: Pick<FramePlayback, "toggle" | "step">): () => void {
  const stops = [
    onShortcut("play", () => playback.toggle()),
    onShortcut("previous-frame", () => playback.step(-1)),
    onShortcut("next-frame", () => playback.step(1)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Puts a video element under the playback; the returned function lets go of it and gives its memory back. */
export function followVideo(
  element: HTMLVideoElement,
  playback: Pick<FramePlayback, "attach">,
  detail: () => JobDetail,
): () => void {
  // Once for this element: what else becomes known of the result must not load its video again.
  const shape = untrack(() => ({ frames: detail().video!.frames, fps: detail().settings.fps }));
  const detach = playback.attach(element, shape);
  return () => {
    detach();
    element.removeAttribute("src");
    element.load();
  };
}
