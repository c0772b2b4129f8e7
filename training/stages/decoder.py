"""The VAE's decoder alone, trained on from a finished model's: latents stay what they are, so every transformer made for them
stays right, and so does every video kept as latents.

What it decodes for the user is the transformer's latents, which are not quite the encoder's. Where the sentence settles the clip
(world/scene.py), both have the same frames, so half of the windows are cut from what the transformer draws for the sentence.

The layers at the latents' own resolution, attention among them, see whole frames; only what they found is cut to a window, mostly
around things, since those are small and a window costs a fraction of a frame. What lies beyond a window is not seen, so errors near
its edges do not count. Clips are made all the while, as for the transformer.
"""
import dataclasses
import random
from collections.abc import Callable

import torch
from torch import Tensor

from .. import processes
from ..bank import object_weights, sayable_scene
from ..follow import Studio
from ..loop import Loop, optimizers
from ..models.vae import WanVAE, unnormalised
from ..verdicts import said, seen
from ..world.render import render
from ..world.scene import Scene, Thing, random_scene, sentence
from ..workshop import ClipSize, Workshop
from .lora import STYLES
from .vae import differences, psnr

CELLS = 10  # a window's side, in latents' cells of 8 x 8 pixels
EDGE = 1  # cells along it whose errors do not count
WINDOWS = 2  # in one step of one process
USES = 4  # windows cut from clips for each new one that is made
KEPT = 96  # clips of each size
RATE, MATRIX_RATE = 5e-4, 5e-3  # of AdamW and of Muon; three times the latter lost a decibel in a trial
HARD_SHAPES, HARD_MOTIONS = ("triangle", "star"), ("spin", "grow", "shrink")  # what comes out as a ball where it is small or turns
HARD_SHARE = 0.4  # of the clips with things, that show such a thing for certain
OPEN_SHARE = 0.3  # of the clips, that the sentence leaves open: things lie anywhere, clouds too
STYLED_SHARE = 0.4  # of those, in one of the looks that LoRAs have
DRAWN_SHARE = 0.75  # of the uses of the other clips, with the transformer's latents
STEPS = (1, 2, 4, 4)  # the sampler's, at random


@dataclasses.dataclass
class Clip:
    frames: Tensor  # [1, 3, frame, row, column] bytes
    latents: Tensor  # [1, 16, frame, row, column], the mean of the encoder's
    drawn: Tensor | None  # the transformer's for the clip's sentence; none where the sentence leaves the clip open
    weights: Tensor  # [1, 1, frame, row, column] of the frames' errors: about 3 at small things and two pixels around them, else 1
    places: Tensor  # [n, 2] cells (row, column) where the picture is not its usual colour


def is_hard(thing: Thing) -> bool:
    return thing.shape in HARD_SHAPES and (thing.size == "small" or thing.motion in HARD_MOTIONS)


class Clips:
    """Clips of one size: at most KEPT, the oldest making room for new ones. Their latents are `vae`'s; `studio` draws its own."""

    def __init__(self, workshop: Workshop, size: ClipSize, vae: WanVAE, studio: Studio | None, seed: int, open_share: float = OPEN_SHARE,
                 is_hard: Callable[[Thing], bool] = is_hard, hard_share: float = HARD_SHARE):
        self.workshop, self.size, self.vae, self.studio, self.open_share = workshop, size, vae, studio, open_share
        self.is_hard, self.hard_share = is_hard, hard_share
        self.source = random.Random(seed + 10_000 * processes.NUMBER + 1_000_000 * workshop.seed)
        self.kept: list[Clip] = []
        self.owed = 0.0

    def scene(self, is_open: bool) -> Scene:
        wants_hard = self.source.random() < self.hard_share
        while True:
            scene = random_scene(self.source, spread=0.25, skies=8) if is_open else sayable_scene(self.source)
            if scene.is_landscape or not wants_hard or any(self.is_hard(thing) for thing in scene.things):
                return scene

    @torch.no_grad()
    def make(self) -> Clip:
        size, is_open = self.size, self.source.random() < self.open_share
        scene = self.scene(is_open)
        frames = render([scene], size.frames, size.height, size.width, self.workshop.device)
        if is_open and self.source.random() < STYLED_SHARE:
            frames = self.source.choice(list(STYLES.values()))(frames)
        with self.workshop.autocast():
            latents = self.vae.encode(frames)
        drawn = None
        if self.studio and not is_open:
            text, steps = sentence(scene, self.source)[0], self.source.choice(STEPS)
            drawn = self.studio.latents(text, size, self.source.randrange(1 << 31), steps)
        unusual = (frames - frames.flatten(2).median(-1).values[..., None, None, None]).abs().amax((1, 2), keepdim=True)
        places = torch.nn.functional.max_pool3d(unusual, (1, 8, 8))[0, 0, 0]
        weights = torch.nn.functional.max_pool3d(object_weights(frames), (1, 5, 5), 1, (0, 2, 2))
        frames = ((frames + 1) * 127.5).round().to(torch.uint8)
        return Clip(frames, latents, drawn, (weights / weights.mean()).sqrt().half(), (places > 0.3).nonzero())

    def next(self) -> Clip:
        self.owed += 1 / USES
        while len(self.kept) < 8:
            self.kept.append(self.make())
        if self.owed >= 1:
            self.owed -= 1
            self.kept = [*self.kept, self.make()][-KEPT:]
        return self.source.choice(self.kept)

    def to_decode(self, clip: Clip) -> Tensor:
        return clip.latents if clip.drawn is None or self.source.random() >= DRAWN_SHARE else clip.drawn

    def window(self, clip: Clip) -> tuple[int, int, int, int]:
        """Its cells (top, bottom, left, right), around a place that is not plain in three of four."""
        rows, columns = clip.latents.shape[-2:]
        if len(clip.places) and self.source.random() < 0.75:
            row, column = (int(at) for at in clip.places[self.source.randrange(len(clip.places))])
            row, column = (at - CELLS // 2 + self.source.randint(-3, 3) for at in (row, column))
        else:
            row, column = self.source.randint(-2, rows), self.source.randint(-2, columns)
        top, left = (max(0, min(at, length - CELLS)) for at, length in ((row, rows), (column, columns)))
        return top, min(top + CELLS, rows), left, min(left + CELLS, columns)


def decode_window(vae: WanVAE, latents: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """-> frames of the window alone, not clamped."""
    decoder, coarse = vae.decoder, 3  # residual blocks before the first step up
    seen_whole = decoder.upsamples[:coarse](decoder.middle(decoder.conv1(vae.conv2(unnormalised(latents)))))
    return decoder.head(decoder.upsamples[coarse:](seen_whole[..., top:bottom, left:right]))


def counted(length: int, first: int, last: int) -> slice:
    """The pixels of a window's side that count: all of them at the frame's own edges."""
    return slice(8 * EDGE if first > 0 else 0, 8 * (last - first) - (8 * EDGE if last < length else 0))


def measure(workshop: Workshop, count: int) -> dict[str, float]:
    """Through the VAE: the mean PSNR in dB of unseen clips of the whole world (32 at most), and the share of `count` unseen things
    whose shape is read right from what comes out."""
    vae, source = workshop.load(workshop.vae(), "vae"), random.Random(4712)
    scenes = [random_scene(source, landscapes=0.0, pairs=0.0) for _ in range(count)]
    right = 0
    for scene in scenes:
        with torch.no_grad(), workshop.autocast():
            clip = vae.decode(vae.encode(render([scene], 17, 128, 128, workshop.device))).float().clamp(-1, 1)
        right += seen(clip[0])["shape"] == said(scene)["shape"]
    return {"PSNR dB": round(psnr(workshop, min(count, 32)), 2), "shapes": right / count}


def train(workshop: Workshop, seconds: float) -> None:
    vae = workshop.load(workshop.vae(), "vae")
    trained = [*vae.conv2.parameters(), *vae.decoder.parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    matrices = [p for p in trained if p.ndim >= 4 and min(p.shape[0], p[0].numel()) >= 16]
    chosen = {id(p) for p in matrices}
    others = [p for p in trained if id(p) not in chosen]
    loop = Loop(workshop, "decoder", vae, optimizers(matrices, others, RATE, MATRIX_RATE), seconds)
    processes.seed(2)
    source = random.Random(9 + processes.NUMBER)
    workshop.compile_norms(vae)
    studio = Studio(workshop)
    clips = [Clips(workshop, size, studio.vae, studio, 2000 + number) for number, size in enumerate(workshop.sizes)]

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        total, squared = torch.zeros(()), torch.zeros(())
        for _ in range(WINDOWS):
            of_size = source.choices(clips, [size.share for size in workshop.sizes])[0]
            clip = of_size.next()
            top, bottom, left, right = of_size.window(clip)
            with workshop.autocast():
                drawn = decode_window(vae, of_size.to_decode(clip), top, bottom, left, right).float()
            frames, weights = (of[..., 8 * top : 8 * bottom, 8 * left : 8 * right].float() for of in (clip.frames, clip.weights))
            rows, columns = (counted(*side) for side in ((clip.latents.shape[-2], top, bottom), (clip.latents.shape[-1], left, right)))
            frames = frames / 127.5 - 1
            error = ((drawn - frames) * weights)[..., rows, columns]
            squared = squared + error.square().mean() / WINDOWS
            total = total + (error.abs().mean() + differences(error)) / WINDOWS
        return total + 2 * squared, {"squared": squared, "loss": total}

    loop.run(losses)
    if processes.IS_FIRST:
        torch.save({"averaged": loop.averaged}, workshop.checkpoints / "vae.pth")
    processes.wait()
