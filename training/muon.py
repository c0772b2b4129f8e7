"""Muon: momentum whose matrix is made orthogonal before it is applied (Keller Jordan 2024; coefficients of the quintic
Newton-Schulz iteration as published). For the matrices inside blocks, and for convolutions, whose outputs are the rows; AdamW takes
the rest."""
import torch
from torch import Tensor

from . import processes


class Muon(torch.optim.Optimizer):
    def __init__(self, matrices: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            by_shape: dict[tuple, list[Tensor]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    by_shape.setdefault(tuple(matrix.shape), []).append(matrix)
            for same in by_shape.values():
                self.add_momentum(same, group)
                if mine := processes.share_out(same):
                    self.step_together(mine, group)
                processes.gather(same)

    def add_momentum(self, matrices: list[Tensor], group: dict) -> None:
        for matrix in matrices:
            momentum = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
            momentum.mul_(group["momentum"]).add_(matrix.grad)

    def step_together(self, matrices: list[Tensor], group: dict) -> None:
        """Matrices of one shape go through one batched iteration."""
        updates = [matrix.grad.add(self.state[matrix]["momentum"], alpha=group["momentum"]).flatten(1) for matrix in matrices]
        rows, columns = updates[0].shape
        update = orthogonal(torch.stack(updates) if rows <= columns else torch.stack(updates).transpose(1, 2))
        update = update if rows <= columns else update.transpose(1, 2)
        scale = max(1, rows / columns) ** 0.5
        for matrix, change in zip(matrices, update):
            matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(change.view(matrix.shape), alpha=-group["lr"] * scale)


def orthogonal(matrices: Tensor) -> Tensor:
    """[n, rows, columns] with rows <= columns -> the nearest orthogonal matrices, roughly."""
    x = (matrices / (matrices.flatten(1).norm(dim=1)[:, None, None] + 1e-7)).bfloat16()
    for _ in range(5):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
    return x.float()
