"""The teacher: flow matching on the banks' latents, with attention full, and sparse at several top-k, at random.

Half of the steps fall on the four times that the sampler visits, most of them on the first one, where the whole layout is decided.
"""
import random

import torch
from torch import Tensor

from .. import processes
from ..bank import ZEROS, Bank, Maker
from ..loop import Loop, block_matrices, optimizers
from ..sampling import time_steps
from ..workshop import Workshop, read_weights

TOP_K = (0.1, 0.1, 0.15, 0.3, 0.5)
NEW_CLIPS = 1 / 6  # made for each clip that is drawn for a step
TOGETHER = 16  # clips made at a time
PACE_ON = 0.6  # of a beginner's rates, for what is trained on: enough to learn, without losing what is known
TIME_SHARES = (0.36, 0.18, 0.16, 0.16, 0.14)  # the sampler's four times, then any


def makers(workshop: Workshop, with_first: bool = False) -> list[Maker]:
    vae, encoder = workshop.compile_norms(workshop.load(workshop.vae(), "vae")), workshop.load(workshop.text_encoder(), "text-encoder")
    return [Maker(workshop, size, vae, encoder, 1000 + number, with_first) for number, size in enumerate(workshop.sizes)]


def make_banks(made_by: list[Maker]) -> list[Bank]:
    banks = []
    for maker in made_by:
        banks.append(maker.make(maker.size.clips // processes.COUNT))
        print(f"{maker.size.clips} clips of {maker.size.name} as latents", flush=True)
    return banks


class Growth:
    """Adds new clips to the banks while they are trained on. A network trained on a few thousand clips only soon knows them
    by heart: its error on them falls, on unseen ones it does not. Making one costs as much time as training on two."""

    def __init__(self, banks: list[Bank], made_by: list[Maker], share: float = NEW_CLIPS):
        self.share = share
        self.makers = {id(bank): maker for bank, maker in zip(banks, made_by)}
        self.owed = {id(bank): 0.0 for bank in banks}  # clips, by bank

    def after_drawing(self, bank: Bank, count: int) -> None:
        self.owed[id(bank)] += self.share * count
        while self.owed[id(bank)] >= TOGETHER:
            self.owed[id(bank)] -= TOGETHER
            bank.add(self.makers[id(bank)].make(TOGETHER))


def random_times(count: int, device: torch.device) -> Tensor:
    """[count] in 0..1: the sampler's four, or the logistic of a normal number."""
    times = torch.tensor([*time_steps(4, 80.0)[:4], 0.0], device=device)
    which = torch.multinomial(torch.tensor(TIME_SHARES, device=device), count, replacement=True)
    return torch.where(which == 4, torch.sigmoid(1.1 * torch.randn(count, device=device) + 0.7), times[which])


def random_attention(source: random.Random) -> float | None:
    return None if source.random() < 0.4 else source.choice(TOP_K)


def train(workshop: Workshop, seconds: float, banks: list[Bank], growth: Growth | None = None) -> None:
    torch.manual_seed(1)
    source = random.Random(5)
    model = workshop.transformer()
    pace = 1.0
    if workshop.begun_from:
        model.load_state_dict(read_weights(workshop.begun_from))
        pace = PACE_ON
    loop = Loop(workshop, "transformer", model, optimizers(*block_matrices(model), rate=2e-3 * pace, matrix_rate=0.02 * pace), seconds)
    for block in model.blocks:
        workshop.compile(block)
    processes.seed(1)

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        bank = source.choices(banks, [bank.size.share for bank in banks])[0]
        count = workshop.batch(bank.size)
        if growth:
            growth.after_drawing(bank, count)
        clean, context, weights, _ = bank.draw(count)
        time = random_times(len(clean), workshop.device)
        noise = torch.randn_like(clean)
        part = time.view(-1, 1, 1, 1, 1)
        with workshop.computing(bank.size), workshop.autocast():
            velocity = model((1 - part) * clean + part * noise, time * 1000, context, random_attention(source), ZEROS)
        error = (velocity.float() - (noise - clean)).square()
        loss = (error * weights).mean()
        return loss, {"error": error.mean(), "weighted": loss}

    loop.run(losses)
