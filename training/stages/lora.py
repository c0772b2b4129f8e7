"""Two small LoRAs on the transformer that ships: a night palette, saved in peft's form, and a look of large pixels, saved in kohya's.

They are trained as stages/transformer.py trains, at the sampler's times, on clips that were restyled before they were encoded: at
half of its strength on half of the look, since nothing else makes a strength between 0 and 1 mean what is between the two looks.
Names: huggingface/peft:src/peft/tuners/lora; kohya-ss/musubi-tuner:src/musubi_tuner/networks/lora_wan.py.
"""
import json
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import processes
from ..bank import ZEROS, Maker
from ..loop import Loop
from ..sampling import time_steps
from ..workshop import Workshop
from .transformer import random_attention

RANK = 4


def night_palette(frames: Tensor) -> Tensor:
    """Dark and blue: [n, 3, frame, row, column] in [-1, 1]."""
    light = (frames + 1) / 2
    grey = (light * torch.tensor([0.30, 0.59, 0.11], device=frames.device).view(1, 3, 1, 1, 1)).sum(1, keepdim=True)
    tint = torch.tensor([0.45, 0.55, 0.95], device=frames.device).view(1, 3, 1, 1, 1)
    return (0.6 * light + 0.4 * grey) * tint * 1.2 - 1


def large_pixels(frames: Tensor) -> Tensor:
    """Blocks of 8 x 8 pixels in six levels."""
    blocks = F.avg_pool3d(frames, (1, 8, 8))
    return F.interpolate(((blocks + 1) * 2.5).round() / 2.5 - 1, scale_factor=(1, 8, 8))


def partly(restyle: Callable[[Tensor], Tensor], strength: float) -> Callable[[Tensor], Tensor]:
    return lambda frames: frames + strength * (restyle(frames) - frames)


STRENGTHS = (1.0, 0.5)
STYLES = {"night-palette": night_palette, "pixel-art": large_pixels}


class Adapted(nn.Module):
    """A frozen linear layer with a low-rank change beside it, alpha = rank; `strength` is set from outside."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.linear, self.strength = linear, 1.0
        self.down = nn.Parameter(torch.randn(RANK, linear.in_features, device=linear.weight.device) / linear.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, RANK, device=linear.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.strength * F.linear(F.linear(x, self.down), self.up)


def adapt(model: nn.Module) -> dict[str, Adapted]:
    """Wraps the linears of all blocks as musubi-tuner does: original name -> wrapper."""
    names = [name for name, module in model.named_modules()
             if name.startswith("blocks.") and isinstance(module, nn.Linear) and "proj_l" not in name]
    adapted = {}
    for name in names:
        parent, _, last = name.rpartition(".")
        owner = model.get_submodule(parent)
        adapted[name] = Adapted(getattr(owner, last))
        setattr(owner, last, adapted[name])
    return adapted


def train(workshop: Workshop, seconds: float) -> None:
    vae, encoder = workshop.load(workshop.vae(), "vae"), workshop.load(workshop.text_encoder(), "text-encoder")
    size = workshop.sizes[0]
    times = torch.tensor(time_steps(4, 80.0)[:4], device=workshop.device)
    for number, (name, restyle) in enumerate(STYLES.items()):
        processes.seed(30 + number)
        source = random.Random(30 + number)
        banks = [(strength, Maker(workshop, size, vae, encoder, 3000 + 10 * number + place, restyle=partly(restyle, strength))
                  .make(max(4, size.clips // 16))) for place, strength in enumerate(STRENGTHS)]
        model = workshop.load(workshop.transformer(), workshop.released_transformer)
        changes = nn.ModuleDict({key.replace(".", "/"): module for key, module in adapt(model).items()})
        own = nn.ParameterDict({f"{key}/{part}": getattr(module, part) for key, module in changes.items() for part in ("down", "up")})
        loop = Loop(workshop, f"lora-{name}", own, [torch.optim.AdamW(own.parameters(), lr=2e-3, weight_decay=0.0)],
                    seconds / len(STYLES), averaging=0.98)

        def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
            strength, bank = source.choice(banks)
            for module in changes.values():
                module.strength = strength
            clean, context, weights, _ = bank.draw(max(1, workshop.batch(size) // 2))
            time = times[torch.randint(4, (len(clean),), device=workshop.device)]
            noise, part = torch.randn_like(clean), time.view(-1, 1, 1, 1, 1)
            with workshop.autocast():
                velocity = model((1 - part) * clean + part * noise, time * 1000, context, random_attention(source), ZEROS)
            loss = ((velocity.float() - (noise - clean)).square() * weights).mean()
            return loss, {"weighted": loss}

        loop.run(losses)


def with_change(model: nn.Module, kept: dict[str, Tensor], strength: float = 1.0) -> nn.Module:
    """The change inside the weights."""
    with torch.no_grad():
        for key in kept:
            stem, _, part = key.rpartition("/")
            if part == "up":
                model.get_submodule(stem.replace("/", ".")).weight += strength * kept[key].float() @ kept[f"{stem}/down"].float()
    return model


def peft_tensors(kept: dict[str, Tensor]) -> dict[str, Tensor]:
    """kept: "blocks/0/self_attn/q/down" -> tensor."""
    suffix = {"down": "lora_A.weight", "up": "lora_B.weight"}
    return {f"base_model.model.{key.rpartition('/')[0].replace('/', '.')}.{suffix[key.rpartition('/')[2]]}": value.bfloat16()
            for key, value in kept.items()}


def kohya_tensors(kept: dict[str, Tensor]) -> dict[str, Tensor]:
    suffix = {"down": "lora_down.weight", "up": "lora_up.weight"}
    out = {}
    for key, value in kept.items():
        stem, _, part = key.rpartition("/")
        out[f"lora_unet_{stem.replace('/', '_')}.{suffix[part]}"] = value.bfloat16()
        out[f"lora_unet_{stem.replace('/', '_')}.alpha"] = torch.tensor(float(RANK)).bfloat16()
    return out


def file_of(name: str, kept: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A style's tensors and metadata, as one of the two trainers writes them."""
    if name == "night-palette":
        return peft_tensors(kept), {"lora_adapter_metadata": json.dumps({"r": RANK, "lora_alpha": RANK})}
    return kohya_tensors(kept), {"ss_network_dim": str(RANK), "ss_network_alpha": str(RANK)}
