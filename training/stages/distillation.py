"""The student: at each time that the sampler visits it learns where the teacher's probability-flow ODE ends, so that a single step
does what many of the teacher's do. (Consistency distillation to fixed times; Song et al. 2023, with rCM's angles.)"""
import random

import torch
from torch import Tensor

from ..bank import ZEROS, Bank
from ..loop import Loop
from ..sampling import time_steps
from ..workshop import Workshop
from .transformer import random_attention

TEACHER_STEPS = (9, 8, 7, 5)  # Euler steps from each of the four times
OTHER_FIRST_TIMES = (1600 / 1601, 200 / 201, 40 / 41)  # other sigma_max than 80


def train(workshop: Workshop, seconds: float, banks: list[Bank]) -> None:
    torch.manual_seed(3)
    source = random.Random(7)
    teacher, student = workshop.load(workshop.transformer(), "transformer"), workshop.transformer()
    student.load_state_dict(teacher.state_dict())
    makers = [torch.optim.AdamW(student.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.0)]
    loop = Loop(workshop, "student", student, makers, seconds, flat=0.2, averaging=0.995)
    for block in [*teacher.blocks, *student.blocks]:
        workshop.compile(block)
    times = time_steps(4, 80.0)

    def velocity(model: torch.nn.Module, x: Tensor, time: float, context: Tensor, top_k: float | None) -> Tensor:
        with workshop.autocast():
            return model(x, torch.full((len(x),), time * 1000, device=x.device), context, top_k, ZEROS).float()

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        bank = source.choices(banks, [bank.size.share for bank in banks])[0]
        clean, context, weights, _ = bank.draw(max(1, workshop.batch(bank.size) // 2))
        which = source.choice((0, 0, 1, 2, 3))
        time = source.choice(OTHER_FIRST_TIMES) if which == 0 and source.random() < 0.3 else times[which]
        noise = torch.randn_like(clean)
        begun = time * noise if which == 0 else (1 - time) * clean + time * noise
        with torch.no_grad(), workshop.computing(bank.size):
            x, count = begun, TEACHER_STEPS[which]
            for at in range(count):
                x = x - time / count * velocity(teacher, x, time * (1 - at / count), context, None)
        with workshop.computing(bank.size):
            error = (velocity(student, begun, time, context, random_attention(source)) - (begun - x) / time).square()
        loss = (error * weights).mean()
        return loss, {"error": error.mean(), "weighted": loss}

    loop.run(losses)
