"""The VAE's decoder alone, trained on from a finished model's: latents stay what they are, so every transformer made for them
stays right, and so does every video kept as latents.

The layers at the latents' own resolution, attention among them, see whole frames; only what they found is cut to a window, mostly
around things, since those are small and a window costs a fraction of a frame. What lies beyond a window is not seen, so errors near
its edges do not count. Clips are made all the while, as for the transformer.
"""
import dataclasses
import random

import torch
from torch import Tensor

from .. import processes
from ..loop import Loop, optimizers
from ..models.vae import WanVAE
from ..verdicts import said, seen
from ..world.render import render
from ..world.scene import Scene, random_scene
from ..workshop import ClipSize, Workshop
from .vae import differences, psnr

CELLS = 10  # a window's side, in latents' cells of 8 x 8 pixels
EDGE = 1  # cells along it whose errors do not count
WINDOWS = 2  # in one step of one process
USES = 4  # windows cut from clips for each new one that is made
KEPT = 96  # clips of each size
RATE, MATRIX_RATE = 5e-4, 5e-3  # of AdamW and of Muon; three times the latter lost a decibel in a trial
HARD_SHAPES = ("triangle", "star")  # those that the first decoder confused with balls
HARD_SHARE = 0.4  # of the clips with things, that show one of them for certain


@dataclasses.dataclass
class Clip:
    frames: Tensor  # [1, 3, frame, row, column] bytes
    latents: Tensor  # [1, 16, frame, row, column], the mean of the encoder's
    places: Tensor  # [n, 2] cells (row, column) where the picture is not its usual colour


class Clips:
    """Clips of one size: at most KEPT, the oldest making room for new ones."""

    def __init__(self, workshop: Workshop, size: ClipSize, vae: WanVAE, seed: int):
        self.workshop, self.size, self.vae = workshop, size, vae
        self.source = random.Random(seed + 10_000 * processes.NUMBER + 1_000_000 * workshop.seed)
        self.kept: list[Clip] = []
        self.owed = 0.0

    def scene(self) -> Scene:
        wants_hard = self.source.random() < HARD_SHARE
        while True:
            scene = random_scene(self.source, spread=0.25, skies=8)
            if scene.is_landscape or not wants_hard or any(thing.shape in HARD_SHAPES for thing in scene.things):
                return scene

    @torch.no_grad()
    def make(self) -> Clip:
        size = self.size
        frames = render([self.scene()], size.frames, size.height, size.width, self.workshop.device)
        with self.workshop.autocast():
            latents = self.vae.moments(frames)[0].float()
        unusual = (frames - frames.flatten(2).median(-1).values[..., None, None, None]).abs().amax((1, 2), keepdim=True)
        places = torch.nn.functional.max_pool3d(unusual, (1, 8, 8))[0, 0, 0]
        return Clip(((frames + 1) * 127.5).round().to(torch.uint8), latents, (places > 0.3).nonzero())

    def next(self) -> Clip:
        self.owed += 1 / USES
        while len(self.kept) < 8:
            self.kept.append(self.make())
        if self.owed >= 1:
            self.owed -= 1
            self.kept = [*self.kept, self.make()][-KEPT:]
        return self.source.choice(self.kept)

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
    """Latents as the encoder's convolution leaves them -> frames of the window alone, not clamped."""
    decoder, coarse = vae.decoder, 3  # residual blocks before the first step up
    seen_whole = decoder.upsamples[:coarse](decoder.middle(decoder.conv1(vae.conv2(latents))))
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
    clips = [Clips(workshop, size, vae, 2000 + number) for number, size in enumerate(workshop.sizes)]

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        total, squared = torch.zeros(()), torch.zeros(())
        for _ in range(WINDOWS):
            of_size = source.choices(clips, [size.share for size in workshop.sizes])[0]
            clip = of_size.next()
            top, bottom, left, right = of_size.window(clip)
            with workshop.autocast():
                drawn = decode_window(vae, clip.latents, top, bottom, left, right).float()
            frames = clip.frames[..., 8 * top : 8 * bottom, 8 * left : 8 * right].float() / 127.5 - 1
            rows, columns = (counted(*side) for side in ((clip.latents.shape[-2], top, bottom), (clip.latents.shape[-1], left, right)))
            error = (drawn - frames)[..., rows, columns]
            squared = squared + error.square().mean() / WINDOWS
            total = total + (error.abs().mean() + differences(error)) / WINDOWS
        return total + 2 * squared, {"squared": squared, "loss": total}

    loop.run(losses)
    if processes.IS_FIRST:
        torch.save({"averaged": loop.averaged}, workshop.checkpoints / "vae.pth")
    processes.wait()
