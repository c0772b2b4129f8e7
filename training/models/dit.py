"""Wan2.1's transformer with TurboDiffusion's sparse-linear attention (SLA), with TurboWan2.1's parameter names.

Sources: Wan-Video/Wan2.1:wan/modules/model.py; thu-ml/TurboDiffusion:turbodiffusion/rcm/networks/wan2pt1.py and
turbodiffusion/SLA/core.py; thu-ml/SageAttention for the int8 queries and keys of `sage`.
"""
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

QUERY_BLOCK, KEY_BLOCK = 128, 64


def rotary_angles(frames: int, rows: int, columns: int, head_size: int, device: torch.device) -> Tensor:
    """[token, head_size / 2]: a share of the angles turns with time, one with the row, one with the column."""
    space = head_size // 6 * 2
    angles = []
    for count, size in ((frames, head_size - 2 * space), (rows, space), (columns, space)):
        frequencies = 1.0 / 10000 ** (torch.arange(0, size, 2, device=device).float() / size)
        angles.append(torch.outer(torch.arange(count, device=device).float(), frequencies))
    t, y, x = angles
    grid = (t[:, None, None], y[None, :, None], x[None, None])
    return torch.cat([part.expand(frames, rows, columns, -1) for part in grid], -1).flatten(0, 2)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """x [batch, token, head, size] with interleaved pairs."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cosine - b * sine, a * sine + b * cosine], -1).flatten(-2)


class RMSNorm(nn.Module):
    def __init__(self, width: int, epsilon: float = 1e-6):
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + self.epsilon).to(x.dtype) * self.weight.to(x.dtype)


class LinearBranch(nn.Module):
    def __init__(self, head_size: int):
        super().__init__()
        self.proj_l = nn.Linear(head_size, head_size)
        nn.init.zeros_(self.proj_l.weight)
        nn.init.zeros_(self.proj_l.bias)


class AttentionOperation(nn.Module):
    def __init__(self, head_size: int):
        super().__init__()
        self.local_attn = LinearBranch(head_size)


def pooled(x: Tensor, block: int) -> Tensor:
    """[batch, head, token, size] -> the mean of every block of tokens, the last one shorter where it must be."""
    length = x.shape[2]
    sums = F.pad(x, (0, 0, 0, -length % block)).unflatten(2, (-1, block)).sum(3)
    counts = F.pad(torch.ones(length, device=x.device), (0, -length % block)).unflatten(0, (-1, block)).sum(1)
    return sums / counts[:, None]


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """[batch, head, token, size]; `bias` is added to the scores. Written out on a processor, where PyTorch's fused one is slow:
    a training step takes three quarters of the time."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return torch.softmax(scores if bias is None else scores + bias, -1).to(v.dtype) @ v


@torch.no_grad()
def kept_blocks(q: Tensor, k: Tensor, ratio: float) -> Tensor:
    """q, k [batch, head, token, size] -> bool [batch, head, query block, key block]: the keys that each block of queries keeps."""
    q, k = q.float(), k.float()
    score = pooled(q, QUERY_BLOCK) @ pooled(k - k.mean(2, keepdim=True), KEY_BLOCK).transpose(-1, -2)
    blocks = score.shape[-1]
    best = score.topk(max(1, min(blocks, int(ratio * blocks))), -1).indices
    return torch.zeros_like(score, dtype=torch.bool).scatter_(-1, best, True)


def by_token(blocks: Tensor, length: int) -> Tensor:
    """[batch, head, query block, key block] -> [batch, head, length, length]."""
    return blocks.repeat_interleave(QUERY_BLOCK, 2)[:, :, :length].repeat_interleave(KEY_BLOCK, 3)[..., :length]


def int8_rows(x: Tensor, rows: int) -> Tensor:
    """SageAttention's quantizer, one scale for `rows` tokens of a head: the values that its int8 products see."""
    length = x.shape[2]
    y = F.pad(x.float(), (0, 0, 0, -length % rows)).unflatten(2, (-1, rows))
    scale = y.abs().amax((-1, -2), keepdim=True) / 127 + 1e-7
    return (torch.trunc(y / scale + 0.5 * torch.sign(y)) * scale).flatten(2, 3)[:, :, :length]


def linear_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax over each token's features in place of scores: [batch, head, token, size]."""
    q, k = torch.softmax(q, -1), torch.softmax(k, -1)
    total = 1e-5 + (q * k.sum(2, keepdim=True)).sum(-1, keepdim=True)
    return (q @ (k.transpose(-1, -2) @ v)) / total


class SelfAttention(nn.Module):
    sage = False  # int8 queries and smoothed keys, for the golden cases of sagesla

    def __init__(self, width: int, heads: int, sparse: bool = True):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.norm_q, self.norm_k = RMSNorm(width), RMSNorm(width)
        if sparse:
            self.attn_op = AttentionOperation(width // heads)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1))

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, top_k: float | None) -> Tensor:
        q, k = (rotate(self.split(norm(project(x))), cosine.to(x.dtype), sine.to(x.dtype)).transpose(1, 2)
                for norm, project in ((self.norm_q, self.q), (self.norm_k, self.k)))
        v = self.split(self.v(x)).transpose(1, 2)
        q, k = q.to(v.dtype), k.to(v.dtype)
        if top_k is None:
            out = attention(q, k, v)
        else:
            # Minus infinity for whole blocks: filled in token by token it takes longer than the products.
            bias = torch.where(kept_blocks(q, k, top_k), 0.0, -math.inf).to(v.dtype)
            seen_q, seen_k = q, k
            if self.sage:
                seen_q, seen_k = int8_rows(q, QUERY_BLOCK), int8_rows(k.float() - k.float().mean(2, keepdim=True), KEY_BLOCK)
            out = attention(seen_q, seen_k, v, by_token(bias, q.shape[2]))
            out = out + self.attn_op.local_attn.proj_l(linear_attention(q, k, v).to(v.dtype))
        return self.o(out.transpose(1, 2).flatten(2))


class CrossAttention(SelfAttention):
    def __init__(self, width: int, heads: int):
        super().__init__(width, heads, sparse=False)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor | None) -> Tensor:
        q = self.split(self.norm_q(self.q(x))).transpose(1, 2)
        k = self.split(self.norm_k(self.k(context))).transpose(1, 2)
        v = self.split(self.v(context)).transpose(1, 2)
        return self.o(attention(q.to(v.dtype), k.to(v.dtype), v, bias).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width: int, feed_forward: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, 1e-6, elementwise_affine=False)
        self.self_attn = SelfAttention(width, heads)
        self.norm3 = nn.LayerNorm(width, 1e-6)
        self.cross_attn = CrossAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, 1e-6, elementwise_affine=False)
        self.ffn = nn.Sequential(nn.Linear(width, feed_forward), nn.GELU(approximate="tanh"), nn.Linear(feed_forward, width))
        self.modulation = nn.Parameter(torch.randn(1, 6, width) / width**0.5)

    def forward(self, x: Tensor, modulation: Tensor, cosine: Tensor, sine: Tensor, context: Tensor, context_bias: Tensor | None,
                top_k: float | None) -> Tensor:
        e = (self.modulation + modulation).chunk(6, 1)
        x = x + self.self_attn(self.norm1(x) * (1 + e[1]) + e[0], cosine, sine, top_k) * e[2]
        x = x + self.cross_attn(self.norm3(x), context, context_bias)
        return x + self.ffn(self.norm2(x) * (1 + e[4]) + e[3]) * e[5]


class Head(nn.Module):
    def __init__(self, width: int, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, 1e-6, elementwise_affine=False)
        self.head = nn.Linear(width, channels)
        self.modulation = nn.Parameter(torch.randn(1, 2, width) / width**0.5)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        e = (self.modulation + e[:, None]).chunk(2, 1)
        return self.head(self.norm(x) * (1 + e[1]) + e[0])


class WanModel(nn.Module):
    """in_channels 16, or 36 for image to video: noise 16, mask 4, latents of the first frame 16."""

    def __init__(self, width: int, feed_forward: int, heads: int, layers: int, text_width: int, in_channels: int = 16):
        super().__init__()
        self.width, self.heads, self.frequencies, self.out_channels = width, heads, 256, 16
        self.patch_embedding = nn.Linear(in_channels * 4, width)
        self.text_embedding = nn.Sequential(nn.Linear(text_width, width), nn.GELU(approximate="tanh"), nn.Linear(width, width))
        self.time_embedding = nn.Sequential(nn.Linear(self.frequencies, width), nn.SiLU(), nn.Linear(width, width))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(width, width * 6))
        self.blocks = nn.ModuleList([Block(width, feed_forward, heads) for _ in range(layers)])
        self.head = Head(width, self.out_channels * 4)

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor, top_k: float | None = None, zeros: int = 0) -> Tensor:
        """x [batch, in_channels, frame, row, column], timestep [batch] in 0..1000, context [batch, token, text_width]
        -> velocity [batch, 16, frame, row, column]. `top_k` None is full attention, else the share of key blocks kept.
        `zeros`: how many rows of zeros the context would end with. Their keys and values are all the same, so one that weighs as
        many stands for them."""
        batch, channels, frames, rows, columns = x.shape
        rows, columns = rows // 2, columns // 2
        y = x.reshape(batch, channels, frames, rows, 2, columns, 2).permute(0, 2, 3, 5, 1, 4, 6)
        y = self.patch_embedding(y.reshape(batch, frames * rows * columns, channels * 4))
        half = self.frequencies // 2
        angle = torch.outer(timestep.double(), 10000 ** (-torch.arange(half, device=x.device).double() / half))
        e = self.time_embedding(torch.cat([angle.cos(), angle.sin()], 1).float())
        modulation = self.time_projection(e).unflatten(1, (6, self.width))
        context_bias = None
        if zeros:
            context = F.pad(context, (0, 0, 0, 1))
            context_bias = F.pad(torch.zeros(context.shape[1] - 1, device=x.device), (0, 1), value=math.log(zeros))
        context = self.text_embedding(context)
        angles = rotary_angles(frames, rows, columns, self.width // self.heads, x.device)
        cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
        for block in self.blocks:
            y = block(y, modulation, cosine, sine, context, context_bias, top_k)
        y = self.head(y, e).view(batch, frames, rows, columns, 2, 2, self.out_channels)
        return y.permute(0, 6, 1, 2, 4, 3, 5).reshape(batch, self.out_channels, frames, rows * 2, columns * 2)
