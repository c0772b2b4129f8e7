"""Noise, times and the rCM sampler, as the engine must reproduce them.

Sources: Salmon et al. 2011 (Philox4x32-10); thu-ml/TurboDiffusion:turbodiffusion/inference/wan2.1_t2v_infer.py.
"""
import math
from collections.abc import Callable

import torch
from torch import Tensor

MULTIPLIERS, KEY_STEPS, MASK = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85), 0xFFFFFFFF
ANGLES = (1.5, 1.4, 1.0)  # rCM's, after the first one, which is atan(sigma_max)


def philox(counter: Tensor, seed: int) -> Tensor:
    """counter int64 [n, 4] of 32-bit words -> the same of random ones. Products wrap at 64 bits; only their bits count."""
    key = [seed & MASK, seed >> 32 & MASK]
    a, b, c, d = counter.unbind(1)
    for _ in range(10):
        first, second = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (second >> 32 & MASK) ^ b ^ key[0], second & MASK, (first >> 32 & MASK) ^ d ^ key[1], first & MASK
        key = [key[0] + KEY_STEPS[0] & MASK, key[1] + KEY_STEPS[1] & MASK]
    return torch.stack([a, b, c, d], 1)


def noise(seed: int, draw: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32. Element e is lane e % 4 of counter (e // 4, draw); lanes 0,1 and 2,3 are Box-Muller pairs."""
    count = math.prod(shape)
    group = torch.arange((count + 3) // 4)
    counter = torch.stack([group & MASK, group >> 32, torch.full_like(group, draw), torch.zeros_like(group)], 1)
    uniform = philox(counter, seed).double()
    radius = (-2.0 * ((uniform[:, 0::2] + 1.0) / 2.0**32).log()).sqrt()
    angle = 2.0 * math.pi * uniform[:, 1::2] / 2.0**32
    pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], -1)
    return pairs.flatten()[:count].float().reshape(shape)


def time_steps(steps: int, sigma_max: float) -> list[float]:
    """Rectified-flow times of the rCM angles: steps + 1 values, the last one 0."""
    angles = [math.atan(sigma_max), *ANGLES[: steps - 1]]
    return [math.sin(a) / (math.sin(a) + math.cos(a)) for a in angles] + [0.0]


@torch.no_grad()
def sample(velocity: Callable[..., Tensor], shape: tuple[int, ...], seed: int, steps: int = 4, sigma_max: float = 80.0, ode: bool = False,
           device: torch.device | str = "cpu", kept: list | None = None) -> Tensor:
    """velocity(x fp32, timestep [1] in 0..1000) -> the network's answer. x is carried in float64. -> latents float32."""
    times = time_steps(steps, sigma_max)
    x = noise(seed, 0, shape).double().to(device) * times[0]
    for step, (now, after) in enumerate(zip(times, times[1:])):
        timestep = torch.tensor([now * 1000.0]).bfloat16().float().to(device)  # the network sees bf16 times
        v = velocity(x.bfloat16().float(), timestep).double()
        if kept is not None:
            kept.append((x.float(), v.float()))
        if ode:
            x = x - (now - after) * v
        else:
            x = (1 - after) * (x - now * v)
            if after > 0:
                x = x + after * noise(seed, step + 1, shape).double().to(device)
    return x.float()
