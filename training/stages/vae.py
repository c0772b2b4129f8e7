"""The VAE: first single pictures, then clips; crops of several sizes, so that neither edges nor scale are special.

What keeps edges sharp: L1 and squared error together, errors of neighbouring differences in space, and errors of differences in
time against flicker. The latents' prior weighs next to nothing, since a heavier one pays with sharpness. At the end the latents are
given Wan2.1's mean and deviation.
"""
import random

import torch
from torch import Tensor

from ..loop import Loop, optimizers
from ..models.vae import normalise_latents, start_as_linear_autoencoder
from ..world.render import render
from ..world.scene import random_scene
from ..workshop import Workshop

PICTURES_UNTIL = 0.25  # share of the time
PRIOR = 1e-5


class Pool:
    """Rendered clips kept on the device as bytes, by size: drawing a batch of crops from them waits for nothing."""

    SIZES = {(128, 128): 6_000, (96, 96): 3_000, (192, 192): 1_200, (128, 224): 1_500, (224, 128): 1_500}  # height, width -> clips
    TINY = {(32, 32): 24}

    def __init__(self, workshop: Workshop):
        source = random.Random(7)
        self.device = workshop.device
        self.pixels = (64 if workshop.on_card else 3) * 17 * 64 * 64  # of a batch
        tiny = workshop.form.vae_width < 16
        self.frame_counts = (5,) if tiny else (5, 9, 17)
        self.clips = {}
        for (height, width), count in (self.TINY if tiny else self.SIZES).items():
            parts = []
            for start in range(0, count if workshop.on_card or tiny else count // 20, 16):
                scenes = [random_scene(source, landscapes=0.35, spread=0.25, skies=8) for _ in range(16)]
                frames = render(scenes, self.frame_counts[-1], height, width, self.device)
                parts.append(((frames + 1) * 127.5).round().to(torch.uint8))
            self.clips[height, width] = torch.cat(parts)

    def crops(self, source: random.Random, pictures: bool) -> Tensor:
        """[batch, 3, frame, row, column] in [-1, 1]: the same window of random clips."""
        (height, width), clips = source.choices(list(self.clips.items()), [len(c) for c in self.clips.values()])[0]
        frames = 1 if pictures else source.choice(self.frame_counts)
        side = min(height, width, source.choice((64, 96, 128)))
        count = max(1, self.pixels // (frames * side * side))
        top, left = source.randrange(height - side + 1), source.randrange(width - side + 1)
        start = source.randrange(clips.shape[2] - frames + 1)
        window = clips[:, :, start : start + frames, top : top + side, left : left + side]
        chosen = window[torch.randint(len(clips), (count,), device=self.device)]
        return (chosen.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last_3d)


def differences(error: Tensor) -> Tensor:
    """Mean absolute errors of neighbouring differences, in space and in time."""
    total = 0.5 * ((error[..., 1:, :] - error[..., :-1, :]).abs().mean() + (error[..., 1:] - error[..., :-1]).abs().mean())
    return total if error.shape[2] == 1 else total + 0.5 * (error[:, :, 1:] - error[:, :, :-1]).abs().mean()


def train(workshop: Workshop, seconds: float) -> None:
    torch.manual_seed(0)
    source = random.Random(7)
    vae = workshop.vae()
    start_as_linear_autoencoder(vae)
    loop = Loop(workshop, "vae-training", vae, optimizers([], list(vae.parameters()), 2e-3), seconds, flat=0.4, averaging=0.999)
    pool = Pool(workshop)
    workshop.compile_norms(vae)

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        frames = pool.crops(source, progress < PICTURES_UNTIL)
        with workshop.autocast():
            mean, logarithm = (half.float() for half in vae.moments(frames))
            logarithm = logarithm.clamp(-30, 10)
            latents = mean + torch.randn_like(mean) * (0.5 * logarithm).exp()
            drawn = vae.decoder(vae.conv2(latents)).float()
        error = drawn - frames
        squared = error.square().mean()
        prior = 0.5 * (mean.square() + logarithm.exp() - 1 - logarithm).mean()
        return error.abs().mean() + 2 * squared + differences(error) + PRIOR * prior, {"squared": squared, "prior": prior}

    loop.run(losses)
    normalise(workshop, loop)


@torch.no_grad()
def normalise(workshop: Workshop, loop: Loop) -> None:
    """Gives the averaged weights' latents Wan2.1's mean and deviation, and keeps them as the stage's result."""
    vae = workshop.vae()
    vae.load_state_dict(loop.averaged)
    height, width, frames = (32, 32, 5) if workshop.form.vae_width < 16 else (128, 128, 17)
    source = random.Random(8)
    moments = [vae.moments(render([random_scene(source) for _ in range(4)], frames, height, width, workshop.device))[0]
               for _ in range(16 if workshop.on_card else 4)]
    values = torch.cat(moments).transpose(0, 1).flatten(1).double()
    normalise_latents(vae, values.mean(1).float(), values.std(1).float())
    torch.save({"averaged": vae.state_dict()}, workshop.checkpoints / "vae.pth")


@torch.no_grad()
def psnr(workshop: Workshop, count: int = 32, height: int = 128, width: int = 128, frames: int = 17) -> float:
    """Mean PSNR in dB over unseen clips, computed in 16 bits."""
    vae, source, found = workshop.load(workshop.vae(), "vae"), random.Random(4711), []
    for _ in range(count):
        clip = render([random_scene(source)], frames, height, width, workshop.device)
        with workshop.autocast():
            error = vae.decode(vae.encode(clip)).float().clamp(-1, 1) - clip
        found.append(10 * torch.log10(4 / error.square().mean()))
    return float(torch.stack(found).mean())
