"""umT5's encoder with the parameter names of models_t5_umt5-xxl-enc-bf16.pth.

Source: Wan-Video/Wan2.1:wan/modules/t5.py. Every layer has position biases of its own; scores are not scaled.
"""
import math

import torch
from torch import Tensor, nn


class Norm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for project in (self.q, self.k, self.v))
        return self.o((torch.softmax(q @ k.transpose(-1, -2) + bias, -1) @ v).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(width, inner, bias=False), nn.GELU(approximate="tanh"))
        self.fc1 = nn.Linear(width, inner, bias=False)
        self.fc2 = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.fc1(x) * self.gate(x))


class RelativePositions(nn.Module):
    """T5's buckets: half of them for keys behind the query, small distances exact, larger ones by their logarithm up to 128."""

    def __init__(self, buckets: int, heads: int):
        super().__init__()
        self.buckets = buckets
        self.embedding = nn.Embedding(buckets, heads)

    def forward(self, length: int) -> Tensor:
        place = torch.arange(length, device=self.embedding.weight.device)
        offset = place[None] - place[:, None]
        half = self.buckets // 2
        exact = half // 2
        distance = offset.abs()
        far = exact + (torch.log(distance.float().clamp_min(1) / exact) / math.log(128 / exact) * (half - exact)).long()
        bucket = (offset > 0).long() * half + torch.where(distance < exact, distance, far.clamp_max(half - 1))
        return self.embedding(bucket).permute(2, 0, 1)[None]


class Block(nn.Module):
    def __init__(self, width: int, inner: int, heads: int, buckets: int):
        super().__init__()
        self.norm1 = Norm(width)
        self.attn = Attention(width, heads)
        self.norm2 = Norm(width)
        self.ffn = FeedForward(width, inner)
        self.pos_embedding = RelativePositions(buckets, heads)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), self.pos_embedding(x.shape[1]) + mask)
        return x + self.ffn(self.norm2(x))


class TextEncoder(nn.Module):
    def __init__(self, pieces: int, width: int, inner: int, heads: int, layers: int, buckets: int = 32):
        super().__init__()
        self.token_embedding = nn.Embedding(pieces, width)
        self.blocks = nn.ModuleList([Block(width, inner, heads, buckets) for _ in range(layers)])
        self.norm = Norm(width)
        for block in self.blocks:  # T5's own initial scales; without them it never binds colours to shapes
            nn.init.normal_(block.attn.q.weight, std=(width * width // heads) ** -0.5)
            for linear in (block.attn.k, block.attn.v, block.attn.o, block.ffn.gate[0], block.ffn.fc1):
                nn.init.normal_(linear.weight, std=width**-0.5)
            nn.init.normal_(block.ffn.fc2.weight, std=inner**-0.5)
            nn.init.normal_(block.pos_embedding.embedding.weight, std=width**-0.5)

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """ids, valid [batch, token] -> [batch, token, width], zero where not valid."""
        x = self.token_embedding(ids)
        lowest = torch.finfo(torch.float32).min
        mask = torch.zeros(valid.shape, device=x.device).masked_fill(~valid, lowest)[:, None, None]
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x) * valid[..., None]
