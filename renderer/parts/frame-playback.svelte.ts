// Playing one or several clips by frames: every clip shows the same moment, paused or running. Frames are those of the first
// clip; clips with another frame rate or length show what they have at that time.
import { untrack } from "svelte";

export interface ClipShape {
  readonly frames: number;
  /** Frames a second. */
  readonly fps: number;
}

interface Clip extends ClipShape {
  readonly video: HTMLVideoElement;
  /** Where it is wanted while it still seeks elsewhere, seconds. */
  target: number | null;
}

export const speeds = [0.25, 0.5, 1, 2] as const;

export class FramePlayback {
  #clips = $state.raw<readonly Clip[]>([]);
  #frame = $state(0);
  #playing = $state(false);
  #loop = $state(true);
  #speed = $state(1);
  #watch = 0;
  readonly #painted = new Set<() => void>();

  /** The shown frame, from 0. */
  get frame(): number {
    return this.#frame;
  }

  /** True while it runs. */
  get playing(): boolean {
    return this.#playing;
  }

  get loop(): boolean {
    return this.#loop;
  }

  set loop(loop: boolean) {
    this.#loop = loop;
    this.#arrange();
  }

  get speed(): number {
    return this.#speed;
  }

  set speed(speed: number) {
    this.#speed = speed;
    this.#arrange();
  }

  /** Frames a second of the first clip. */
  get fps(): number {
    return this.#clips[0]?.fps ?? 16;
  }

  /** As many frames as the longest clip has at the first one's rate. */
  get frames(): number {
    const seconds = Math.max(0, ...this.#clips.map(({ frames, fps }) => frames / fps));
    return Math.max(1, Math.round(seconds * this.fps));
  }

  /** Takes a clip in until the returned function is called. */
  attach(video: HTMLVideoElement, { frames, fps }: ClipShape): () => void {
    const clip: Clip = { video, frames, fps, target: null };
    const ready = () => this.#place(clip);
    const seeked = () => this.#seeked(clip);
    const ended = () => this.#ended(clip);
    video.addEventListener("loadeddata", ready);
    video.addEventListener("seeked", seeked);
    video.addEventListener("ended", ended);
    // Called from attachments, which must not run again because of what they bring about.
    untrack(() => {
      this.#clips = [...this.#clips, clip];
      this.#arrange();
    });
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) untrack(ready);
    return () => {
      video.removeEventListener("loadeddata", ready);
      video.removeEventListener("seeked", seeked);
      video.removeEventListener("ended", ended);
      video.pause();
      untrack(() => {
        this.#clips = this.#clips.filter((other) => other !== clip);
        if (this.#clips.length === 0) this.pause();
        this.#arrange();
      });
    };
  }

  /** Calls back whenever a clip shows another picture: for what is drawn from them. */
  onPainted(callback: () => void): () => void {
    this.#painted.add(callback);
    return () => void this.#painted.delete(callback);
  }

  toggle(): void {
    if (this.#playing) this.pause();
    else this.play();
  }

  play(): void {
    if (this.#clips.length === 0) return;
    if (this.#frame >= this.frames - 1) this.#show(0);
    this.#playing = true;
    for (const { video } of this.#clips) void video.play().catch(() => undefined); // Paused or taken away meanwhile.
    this.#follow();
  }

  pause(): void {
    if (!this.#playing) return;
    this.#playing = false;
    cancelAnimationFrame(this.#watch);
    for (const { video } of this.#clips) video.pause();
    // They stopped within a frame of each other; now they show the same one.
    this.#show(this.#frame, true);
  }

  /** Shows a frame, paused. */
  seek(frame: number): void {
    this.pause();
    this.#show(frame);
  }

  step(frames: number): void {
    this.seek(this.#frame + frames);
  }

  /** Resolves when every clip shows the wanted frame. */
  async settled(): Promise<void> {
    while (this.#clips.some(({ video, target }) => video.seeking || target !== null || video.readyState < 2))
      await new Promise(requestAnimationFrame);
  }

  #show(frame: number, played = false): void {
    this.#frame = Math.max(0, Math.min(this.frames - 1, Math.round(frame)));
    for (const clip of this.#clips) this.#place(clip, played);
  }

  /** Seeks a clip to the present frame: into the frame's middle, so that rounding cannot miss it. A seek under way is
   * waited for, and only the latest wish follows it. After playing, the picture may be a frame ahead of the time that the
   * clip tells, so only a seek is sure to show that time's. */
  #place(clip: Clip, played = false): void {
    const own = Math.min(clip.frames - 1, Math.floor(((this.#frame + 0.5) / this.fps) * clip.fps));
    const time = (own + 0.5) / clip.fps;
    if (clip.video.readyState === HTMLMediaElement.HAVE_NOTHING) return;
    if (clip.video.seeking) {
      clip.target = time;
      return;
    }
    clip.target = null;
    if (played || Math.abs(clip.video.currentTime - time) > 1e-4) clip.video.currentTime = time;
    else this.#paint();
  }

  #seeked(clip: Clip): void {
    const { target } = clip;
    clip.target = null;
    if (target !== null && !this.#playing && Math.abs(clip.video.currentTime - target) > 1e-4)
      clip.video.currentTime = target;
    else this.#paint();
  }

  /** While playing: the longest clip leads, the others are pulled along where they drift by more than half a frame. */
  #follow(): void {
    cancelAnimationFrame(this.#watch);
    const watch = () => {
      if (!this.#playing) return;
      const leader = this.#leader();
      if (leader) {
        const { currentTime } = leader.video;
        this.#frame = Math.min(this.frames - 1, Math.floor(currentTime * this.fps + 1e-3));
        for (const clip of this.#clips) if (clip !== leader) this.#pull(clip, currentTime);
        this.#paint();
      }
      this.#watch = requestAnimationFrame(watch);
    };
    this.#watch = requestAnimationFrame(watch);
  }

  #pull({ video, frames, fps }: Clip, time: number): void {
    const end = frames / fps;
    if (time >= end) return;
    if (video.paused && !video.ended) void video.play().catch(() => undefined);
    if (!video.seeking && Math.abs(video.currentTime - time) > 0.5 / fps) video.currentTime = time;
  }

  #ended(clip: Clip): void {
    if (!this.#playing || clip !== this.#leader()) return;
    if (!this.#loop) {
      this.#frame = this.frames - 1;
      this.pause();
      return;
    }
    for (const { video } of this.#clips) {
      video.currentTime = 0;
      void video.play().catch(() => undefined);
    }
  }

  #leader(): Clip | undefined {
    return this.#clips.reduce<Clip | undefined>(
      (longest, clip) => (!longest || clip.frames / clip.fps > longest.frames / longest.fps ? clip : longest),
      undefined,
    );
  }

  #arrange(): void {
    for (const { video } of this.#clips) {
      video.playbackRate = this.#speed;
      // Alone, a clip begins again without a pause; several have to begin together.
      video.loop = this.#loop && this.#clips.length === 1;
    }
  }

  #paint(): void {
    for (const callback of this.#painted) callback();
  }
}
