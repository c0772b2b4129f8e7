"""The image-to-video pair in Wan2.2-A14B's form: two experts with 36 input channels, the first one for noise levels from 0.9 up.

The first frame leaves so little open that the mean of what may follow is already sharp: the experts learn velocities at the times
the sampler visits and need no distillation.
"""
import random

import torch
from torch import Tensor

from .. import processes
from ..bank import ZEROS, Bank
from ..loop import Loop, block_matrices, optimizers
from ..sampling import time_steps
from ..workshop import Workshop
from .transformer import PACE_ON, Growth, random_attention

BOUNDARY = 0.9
EXPERTS = ("high", "low")
NEW_CLIPS = 1 / 32  # made for each clip that is drawn: one costs as much time as training such a small network on fifteen


def with_first_frame(x: Tensor, first: Tensor) -> Tensor:
    """x [n, 16, frame, ...] -> [n, 36, frame, ...]: noise, a mask that is 1 at the first frame, its latents."""
    mask = torch.zeros_like(x[:, :4])
    mask[:, :, 0] = 1
    return torch.cat([x, mask, first], 1)


def train(workshop: Workshop, seconds: float, banks: list[Bank], growth: Growth | None = None) -> None:
    times = sorted({*time_steps(4, 200.0)[:4], *time_steps(4, 80.0)[:4]})
    for number, name in enumerate(EXPERTS):
        own = [time for time in times if (time >= BOUNDARY) == (name == "high")]
        train_expert(workshop, seconds / 2, banks, growth, f"expert-{name}", own, seed=20 + number)


def train_expert(workshop: Workshop, seconds: float, banks: list[Bank], growth: Growth | None, name: str, times: list[float],
                 seed: int) -> None:
    torch.manual_seed(seed)
    source = random.Random(seed)
    model = workshop.expert()
    pace = 1.0
    if workshop.experts:
        earlier = torch.load(workshop.experts / f"{name}.pth", map_location=workshop.device, weights_only=True)
        model.load_state_dict(earlier["averaged"])
        pace = PACE_ON
    loop = Loop(workshop, name, model, optimizers(*block_matrices(model), rate=2e-3 * pace, matrix_rate=0.02 * pace), seconds)
    for block in model.blocks:
        workshop.compile(block)
    choices = torch.tensor(times, device=workshop.device)
    processes.seed(seed)

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        bank = source.choices(banks, [bank.size.share for bank in banks])[0]
        count = workshop.batch(bank.size)
        if growth:
            growth.after_drawing(bank, count)
        clean, context, weights, first = bank.draw(count)
        time = choices[torch.randint(len(times), (len(clean),), device=workshop.device)]
        noise, part = torch.randn_like(clean), time.view(-1, 1, 1, 1, 1)
        with workshop.computing(bank.size), workshop.autocast():
            x = with_first_frame((1 - part) * clean + part * noise, first)
            velocity = model(x, time * 1000, context, random_attention(source), ZEROS)
        error = (velocity.float() - (noise - clean)).square()
        loss = (error * weights).mean()
        return loss, {"error": error.mean(), "weighted": loss}

    loop.run(losses)
