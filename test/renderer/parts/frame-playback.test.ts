// Playing by frames, on real small videos whose every frame is a grey of its own.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { videoUrl } from "../../../contract/channels/media.ts";
import { FramePlayback } from "../../../renderer/parts/frame-playback.svelte.ts";
import { clipFps, clipFrames, greyOf } from "../clips.ts";
import { greyShown } from "../grey-shown.ts";

let playback: FramePlayback;
const ends: (() => void)[] = [];
beforeEach(() => void (playback = new FramePlayback()));
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function clip(id: number, shape = { frames: clipFrames, fps: clipFps }): HTMLVideoElement {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  video.src = videoUrl(id);
  document.body.append(video);
  const detach = playback.attach(video, shape);
  ends.push(() => {
    detach();
    video.remove();
  });
  return video;
}

/** The frame a video shows, told by its grey. */
function frameOf(id: number, video: HTMLVideoElement): number {
  const grey = greyShown(video);
  const distances = Array.from({ length: clipFrames }, (_, frame) => Math.abs(greyOf(id, frame) - grey));
  return distances.indexOf(Math.min(...distances));
}

describe("one clip", () => {
  test("shows exactly the frame that is sought, every one, forwards and backwards", async () => {
    const video = clip(1);
    await playback.settled();
    expect(playback.frames).toBe(clipFrames);
    const order = [...Array(clipFrames).keys(), 9, 3, 16, 0, 8];
    for (const frame of order) {
      playback.seek(frame);
      await playback.settled();
      await expect.poll(() => frameOf(1, video)).toBe(frame);
      expect(playback.frame).toBe(frame);
    }
  });

  test("steps one frame, and stops at both ends", async () => {
    const video = clip(2);
    await playback.settled();
    for (const [step, frame] of [
      [1, 1],
      [1, 2],
      [-1, 1],
      [-5, 0],
      [100, clipFrames - 1],
      [1, clipFrames - 1],
    ] as const) {
      playback.step(step);
      await playback.settled();
      expect(playback.frame).toBe(frame);
      await expect.poll(() => frameOf(2, video)).toBe(frame);
    }
  });

  test("many seeks at once end at the last one", async () => {
    const video = clip(3);
    await playback.settled();
    for (let frame = 0; frame < clipFrames; frame++) playback.seek(frame);
    playback.seek(5);
    await playback.settled();
    await expect.poll(() => frameOf(3, video)).toBe(5);
  });

  test("plays to the end and stays there, or begins again", async () => {
    const video = clip(1);
    await playback.settled();
    playback.loop = false;
    playback.play();
    expect(playback.playing).toBe(true);
    await expect.poll(() => playback.playing, { timeout: 30_000 }).toBe(false);
    expect(playback.frame).toBe(clipFrames - 1);
    await playback.settled();
    await expect.poll(() => frameOf(1, video)).toBe(clipFrames - 1);
    playback.loop = true;
    playback.speed = 2;
    playback.play();
    let seen = 0;
    await expect
      .poll(
        () => {
          const began = playback.frame < seen;
          seen = playback.frame;
          return began;
        },
        { timeout: 30_000, interval: 20 },
      )
      .toBe(true);
    expect(video.playbackRate).toBe(2);
    playback.pause();
    await playback.settled();
    await expect.poll(() => frameOf(1, video)).toBe(playback.frame);
  });
});

// One in 500 pauses met it by chance: the clock told the frame's middle, and the picture was the next one's.
test("a pause seeks even where the clip's clock tells the frame's middle already, since the picture may be ahead", async () => {
  const video = clip(1);
  await playback.settled();
  playback.play();
  await expect.poll(() => playback.frame).toBeGreaterThan(2);
  const told = (playback.frame + 0.5) / clipFps;
  const sought: number[] = [];
  const clock = { configurable: true, get: () => told, set: (time: number) => void sought.push(time) };
  Object.defineProperty(video, "currentTime", clock);
  playback.pause();
  Reflect.deleteProperty(video, "currentTime");
  expect(sought).toEqual([told]);
});

describe("several clips", () => {
  test("show the same frame when sought, when paused after playing, and when one comes later", async () => {
    const [first, second] = [clip(1), clip(2)];
    await playback.settled();
    playback.seek(7);
    await playback.settled();
    await expect.poll(() => [frameOf(1, first), frameOf(2, second)]).toEqual([7, 7]);
    playback.play();
    await expect.poll(() => playback.frame, { timeout: 30_000 }).toBeGreaterThan(9);
    playback.pause();
    await playback.settled();
    await expect.poll(() => [frameOf(1, first), frameOf(2, second)]).toEqual([playback.frame, playback.frame]);
    const third = clip(3);
    await playback.settled();
    await expect.poll(() => frameOf(3, third)).toBe(playback.frame);
  });

  test("play in step, over the end too", async () => {
    const [first, second] = [clip(1), clip(2)];
    await playback.settled();
    playback.play();
    await expect.poll(() => playback.frame, { timeout: 30_000 }).toBeGreaterThan(3);
    await expect
      .poll(() => Math.abs(first.currentTime - second.currentTime), { timeout: 30_000 })
      .toBeLessThan(1.5 / clipFps);
    let before = playback.frame;
    await expect
      .poll(
        () => {
          const began = playback.frame < before;
          before = playback.frame;
          return began;
        },
        { timeout: 30_000, interval: 20 },
      )
      .toBe(true);
    await expect
      .poll(() => Math.abs(first.currentTime - second.currentTime), { timeout: 30_000 })
      .toBeLessThan(1.5 / clipFps);
  });

  test("a shorter one keeps its last frame", async () => {
    const long = clip(1);
    const short = clip(2, { frames: 5, fps: clipFps });
    await playback.settled();
    expect(playback.frames).toBe(clipFrames);
    playback.seek(12);
    await playback.settled();
    await expect.poll(() => [frameOf(1, long), frameOf(2, short)]).toEqual([12, 4]);
  });
});
