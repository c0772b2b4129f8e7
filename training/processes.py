"""Several processes train one model, each with its own clips: torchrun --nproc-per-node 2 -m training.run ...

One thread a process wastes less of a processor than several threads in one. Gradients are averaged at every step, so all hold the
same weights; the first one keeps the clock and writes the files.
"""
import os

import torch
import torch.distributed as distributed
from torch import Tensor

COUNT, NUMBER = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
IS_FIRST = NUMBER == 0


def start() -> None:
    if COUNT > 1:
        distributed.init_process_group("gloo")


def seed(number: int) -> None:
    """Other numbers for each process."""
    torch.manual_seed(number + 1000 * NUMBER)


def average_gradients(parameters: list[Tensor]) -> None:
    """Missing gradients count as zero, so that all processes exchange the same numbers."""
    if COUNT == 1:
        return
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(together)
    parts = (together / COUNT).split([gradient.numel() for gradient in gradients])
    for parameter, part in zip(parameters, parts):
        parameter.grad = part.view_as(parameter)


def share_out(tensors: list[Tensor]) -> list[Tensor]:
    """This process's part of work that need be done only once; `gather` follows."""
    return tensors[NUMBER::COUNT]


@torch.no_grad()
def gather(tensors: list[Tensor]) -> None:
    """Every process gets what the others made of their parts."""
    for number in range(COUNT if COUNT > 1 else 0):
        theirs = tensors[number::COUNT]
        if not theirs:
            continue
        together = torch.cat([tensor.flatten() for tensor in theirs])
        distributed.broadcast(together, number)
        for tensor, part in zip(theirs, together.split([tensor.numel() for tensor in theirs])):
            tensor.copy_(part.view_as(tensor))


def of_first(value: float) -> float:
    """The first process's number: what all must agree on."""
    if COUNT == 1:
        return value
    held = torch.tensor([value], dtype=torch.float64)
    distributed.broadcast(held, 0)
    return float(held)


def wait() -> None:
    if COUNT > 1:
        distributed.barrier()
