"""The decoder alone, on the latents of a finished model: a sharper picture from what the latents already hold.

A small network reads the shape of a thing from the first demo model's latents in 98.8% of clips; through its decoder it was 77%.
Windows are cut from latents of whole clips, so what lies beyond a window is missing: its edges do not count, but for the frame's own.
"""
import dataclasses
import random

import torch
from torch import Tensor

from .. import processes
from ..bank import sayable_scene
from ..loop import Loop, optimizers
from ..models.vae import WanVAE
from ..world.render import render
from ..workshop import Workshop
from .vae import differences

CLIPS, TINY_CLIPS = 320, 8
EDGE = 8  # pixels of a window that do not count


@dataclasses.dataclass
class Windows:
    """Whole clips: frames as bytes [clip, 3, frame, row, column], latents [clip, 16, ...]."""
    frames: Tensor
    latents: Tensor
    side: int  # of a window, in latents
    batch: int

    def draw(self, source: random.Random) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, the frames they stand for in [-1, 1], and 1 where a pixel counts [batch, 1, 1, row, column]."""
        rows, columns = self.latents.shape[-2:]
        later = source.choice((2, 2, 4)) if self.latents.shape[2] > 4 else self.latents.shape[2] - 1
        latents, frames, counted = [], [], []
        for _ in range(self.batch):
            clip = source.randrange(len(self.latents))
            top, left = source.randint(0, rows - self.side), source.randint(0, columns - self.side)
            latents.append(self.latents[clip, :, : 1 + later, top : top + self.side, left : left + self.side])
            window = [slice(8 * at, 8 * (at + self.side)) for at in (top, left)]
            frames.append(self.frames[clip, :, : 1 + 4 * later, window[0], window[1]])
            counts = torch.zeros(1, 1, 8 * self.side, 8 * self.side, device=self.frames.device)
            inside = [slice(0 if at == 0 else EDGE, 8 * self.side - (0 if at + self.side == count else EDGE))
                      for at, count in ((top, rows), (left, columns))]
            counts[..., inside[0], inside[1]] = 1
            counted.append(counts)
        return torch.stack(latents), torch.stack(frames).float() / 127.5 - 1, torch.stack(counted)


@torch.no_grad()
def make_windows(workshop: Workshop, vae: WanVAE, tiny: bool) -> Windows:
    source, frames, latents, size = random.Random(600 + processes.NUMBER), [], [], workshop.sizes[0]
    for _ in range((TINY_CLIPS if tiny else CLIPS) // 2 // processes.COUNT):
        clips = render([sayable_scene(source) for _ in range(2)], size.frames, size.height, size.width, workshop.device)
        with workshop.autocast():
            latents.append(vae.encode(clips).float())
        frames.append(((clips + 1) * 127.5).round().to(torch.uint8))
    side = min(8, size.width // 8)
    return Windows(torch.cat(frames), torch.cat(latents), side, 64 if workshop.on_card else 4)


def train(workshop: Workshop, seconds: float, tiny: bool = False) -> None:
    """Leaves the VAE with its decoder trained on as the stage `vae`."""
    source = random.Random(9 + processes.NUMBER)
    vae = workshop.load(workshop.vae(), "vae")
    windows = make_windows(workshop, vae, tiny)
    trained = [p for name, p in vae.named_parameters() if name.startswith(("decoder.", "conv2."))]
    for parameter in trained:
        parameter.requires_grad_(True)
    loop = Loop(workshop, "decoder", vae, optimizers([], trained, 1e-3), seconds, flat=0.3, averaging=0.99)

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        latents, frames, counted = windows.draw(source)
        with workshop.autocast():
            drawn = vae.decode(latents.contiguous(memory_format=torch.channels_last_3d)).float()
        error = (drawn - frames) * counted
        squared = error.square().mean()
        return error.abs().mean() + 2 * squared + differences(error), {"squared": squared}

    loop.run(losses)
    if processes.IS_FIRST:
        torch.save({"averaged": loop.averaged}, workshop.checkpoints / "vae.pth")
    processes.wait()
