"""One stage's training: as many steps as its minutes allow, rates that fall with the clock, averaged weights, checkpoints
to go on from. Time spent before an interruption counts, so a resumed stage ends where it would have ended."""
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from . import processes
from .muon import Muon
from .workshop import Workshop


def optimizers(matrices: list[Tensor], others: list[Tensor], rate: float, matrix_rate: float = 0.01) -> list[torch.optim.Optimizer]:
    made: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)]
    return made + [Muon(matrices, matrix_rate)] if matrices else made


def block_matrices(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """A transformer's parameters for Muon and for AdamW."""
    matrices = [p for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2 and "proj_l" not in name]
    chosen = {id(p) for p in matrices}
    return matrices, [p for p in model.parameters() if id(p) not in chosen]


class Loop:
    """`losses(step, progress)` returns the loss and numbers to print; progress runs from 0 to 1."""

    def __init__(self, workshop: Workshop, name: str, model: nn.Module, makers: list[torch.optim.Optimizer], seconds: float,
                 flat: float = 0.35, averaging: float = 0.998):
        self.workshop, self.name, self.model, self.makers, self.seconds = workshop, name, model, makers, seconds
        self.flat, self.averaging = flat, averaging
        self.trained = [p for maker in makers for group in maker.param_groups for p in group["params"]]
        self.path = workshop.checkpoints / f"{name}.pth"
        self.rates = [[group["lr"] for group in maker.param_groups] for maker in makers]
        self.averaged = {key: value.detach().clone() for key, value in model.state_dict().items()}
        self.step, self.spent, self.finished = 0, 0.0, False
        if self.path.exists():
            self.resume()

    def resume(self) -> None:
        state = torch.load(self.path, map_location=self.workshop.device, weights_only=True)
        if "raw" not in state:  # weights of a finished model, kept for a part that was trained beside it: nothing to go on from
            return
        self.model.load_state_dict(state["raw"])
        self.averaged, self.step, self.spent, self.finished = state["averaged"], state["step"], state["spent"], state["finished"]
        for maker, kept in zip(self.makers, state["optimizers"]):
            maker.load_state_dict(kept)

    def save(self) -> None:
        if not processes.IS_FIRST:
            return
        state = {"raw": self.model.state_dict(), "averaged": self.averaged, "step": self.step, "spent": self.spent,
                 "finished": self.finished, "optimizers": [maker.state_dict() for maker in self.makers]}
        unfinished = self.path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.path)

    def run(self, losses: Callable[[int, float], tuple[Tensor, dict[str, Tensor]]]) -> None:
        """More minutes than last time train on; the same or fewer leave all as it is."""
        if self.finished and self.spent >= self.seconds:
            print(f"{self.name}: already there ({self.step} steps)", flush=True)
            return
        try:
            self.train(losses)
        except (KeyboardInterrupt, SystemExit):
            self.save()
            raise
        self.finished = True
        self.save()
        processes.wait()
        print(f"{self.name}: done, {self.step} steps in {self.spent:.0f} s", flush=True)

    def train(self, losses: Callable[[int, float], tuple[Tensor, dict[str, Tensor]]]) -> None:
        begun = saved = said = time.monotonic()
        before, sums, count = self.spent, {}, 0
        while (progress := processes.of_first(self.spent) / self.seconds) < 1:
            warm = min(1.0, (self.step + 1) / 50)
            falling = 1.0 if progress < self.flat else 0.02 + 0.49 * (1 + math.cos(math.pi * (progress - self.flat) / (1 - self.flat)))
            for maker, rates in zip(self.makers, self.rates):
                for group, rate in zip(maker.param_groups, rates):
                    group["lr"] = rate * warm * falling
            loss, shown = losses(self.step, progress)
            for maker in self.makers:
                maker.zero_grad(set_to_none=True)
            loss.backward()
            processes.average_gradients(self.trained)
            nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.grad is not None], 1.0)
            for maker in self.makers:
                maker.step()
            self.step += 1
            self.average()
            for key, value in shown.items():
                sums[key] = sums.get(key, 0.0) + value.detach()
            count += 1
            now = time.monotonic()
            # Reading a number waits for the card, so the clock is read often and numbers seldom.
            if processes.IS_FIRST and now - said > (10 if self.workshop.on_card else 30):
                text = " ".join(f"{key} {float(value) / count:.4f}" for key, value in sums.items())
                now = time.monotonic()
                print(f"{self.name} {progress:4.0%} step {self.step} {(now - said) / count:.3f} s a step: {text}", flush=True)
                said, sums, count = now, {}, 0
            elif self.workshop.on_card and self.step % 20 == 0:
                torch.cuda.synchronize()
                now = time.monotonic()
            self.spent = before + now - begun
            if now - saved > 120:
                self.save()
                saved = now

    @torch.no_grad()
    def average(self) -> None:
        share = 1 - min(self.averaging, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        old = [value for value in self.averaged.values() if value.is_floating_point()]
        torch._foreach_lerp_(old, [state[key].detach() for key, value in self.averaged.items() if value.is_floating_point()], share)
