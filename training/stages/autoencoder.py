"""The whole VAE, trained on from a finished model's: transformers made for it have to be trained on afterwards.

Why it must be the encoder as well: latents that were descended to under the finished decoder drew small, quick things sharply that
came out of encoder and decoder as blobs (README.md). The encoder may go where the decoder needs it, but not far: the latents are held
near the finished ones, so that transformers have little to learn anew, and noise is added to them, about as much as what a transformer
leaves, so that nothing important hides in small differences.
"""
import random

import torch
from torch import Tensor

from .. import processes
from ..loop import Loop, optimizers
from ..world.scene import Thing
from ..workshop import Workshop
from .decoder import Clips, counted
from .perception import learn
from .vae import differences

WINDOWS = 2  # in one step of one process
WHOLE_SHARE = 0.15  # of the windows, that are the whole frame: each costs as much as two and a half others
OPEN_SHARE = 0.6  # of the clips, that their sentence leaves open
RATE, MATRIX_RATE = 5e-4, 5e-3  # of AdamW and of Muon, as for the decoder alone
HELD = 0.03  # weight of the squared distance from the finished latents
NOISE = 0.1  # the most that is added, in deviations of a latent
PERCEIVED = 0.3  # weight of how differently a network that reads shapes sees the windows
HARD_SHARE = 0.8  # of the clips with things, that show one that is not large and goes somewhere or turns


def is_hard(thing: Thing) -> bool:
    return thing.size != "large" and thing.shape != "ball" and thing.motion not in ("still", "grow", "shrink")


def train(workshop: Workshop, seconds: float) -> None:
    finished = workshop.load(workshop.vae(), "vae")
    vae = workshop.vae()
    vae.load_state_dict(finished.state_dict())
    trained = list(vae.parameters())
    matrices = [p for p in trained if p.ndim >= 4 and min(p.shape[0], p[0].numel()) >= 16]
    chosen = {id(p) for p in matrices}
    others = [p for p in trained if id(p) not in chosen]
    workshop.compile_norms(vae)
    loop = Loop(workshop, "autoencoder", vae, optimizers(matrices, others, RATE, MATRIX_RATE), seconds)
    perception = learn(workshop, finished)
    processes.seed(3)
    source = random.Random(19 + processes.NUMBER)
    clips = [Clips(workshop, size, finished, None, 3000 + number, OPEN_SHARE, is_hard, HARD_SHARE)
             for number, size in enumerate(workshop.sizes)]

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        total, squared, moved, perceived = (torch.zeros(()) for _ in range(4))
        for _ in range(WINDOWS):
            clip = source.choices(clips, [size.share for size in workshop.sizes])[0].next()
            rows, columns = clip.latents.shape[-2:]
            whole = source.random() < WHOLE_SHARE
            top, bottom, left, right = (0, rows, 0, columns) if whole else clips[0].window(clip)
            frames, weights = (of[..., 8 * top : 8 * bottom, 8 * left : 8 * right].float() for of in (clip.frames, clip.weights))
            frames = frames / 127.5 - 1
            with workshop.autocast():
                latents = vae.encode(frames.contiguous(memory_format=torch.channels_last_3d))
                drawn = vae.decode(latents + NOISE * source.random() * torch.randn_like(latents)).float()
            distance = (latents - clip.latents[..., top:bottom, left:right]).square().mean()
            rows, columns = (counted(*side) for side in ((rows, top, bottom), (columns, left, right)))
            error = ((drawn - frames) * weights)[..., rows, columns]
            with workshop.autocast():
                perceived = perceived + perception.distance(drawn[..., rows, columns], frames[..., rows, columns]) / WINDOWS
            squared, moved = squared + error.square().mean() / WINDOWS, moved + distance / WINDOWS
            total = total + (error.abs().mean() + differences(error)) / WINDOWS
        shown = {"squared": squared, "perceived": perceived, "moved": moved, "loss": total}
        return total + 2 * squared + PERCEIVED * perceived + HELD * moved, shown

    loop.run(losses)
    if processes.IS_FIRST:
        torch.save({"averaged": loop.averaged}, workshop.checkpoints / "vae.pth")
    processes.wait()
