"""Draws a batch of scenes as one tensor, on whatever device is asked for; world/landscape.py draws the landscapes.

Frames are [batch, 3, frame, row, column] in [-1, 1]. Places are in units of half the shorter side, y down, 0 in the middle.
"""
import math

import torch
from torch import Tensor

from . import words
from .grid import Grid
from .landscape import draw_landscapes
from .scene import Scene

MOTION_NAMES = list(words.MOTIONS)


def render(scenes: list[Scene], frame_count: int, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """-> [len(scenes), 3, frame_count, height, width] float32 in [-1, 1]."""
    grid = Grid(height, width, frame_count, torch.device(device))
    out = torch.empty(len(scenes), 3, frame_count, height, width, device=device)
    for wanted, draw in ((True, draw_landscapes), (False, draw_things)):
        at = [i for i, scene in enumerate(scenes) if scene.is_landscape == wanted]
        if at:
            out[torch.tensor(at, device=device)] = draw([scenes[i] for i in at], grid)
    return out.clamp_(0, 1).mul_(2).sub_(1)


def signed_distances(x: Tensor, y: Tensor, radius: Tensor, angle: Tensor) -> Tensor:
    """Distance to each of words.SHAPES' edges, negative inside: [shape, *x.shape]."""
    u, v = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    length = torch.hypot(u, v)
    root = math.sqrt(3.0)
    triangle = torch.maximum(torch.maximum(root * u - v, -root * u - v) / 2, v) - 0.55 * radius
    # A star is one edge, from a tip to a notch, mirrored into ten sectors.
    sector = math.pi / 5
    turn = ((torch.atan2(u, -v) + sector) % (2 * sector) - sector).abs()
    along, across = length * turn.cos(), length * turn.sin()
    edge_x, edge_y = 0.50 * math.cos(sector) - 1.15, 0.50 * math.sin(sector)
    star = -((along - 1.15 * radius) * edge_y - across * edge_x) / math.hypot(edge_x, edge_y)
    by_name = {"ball": length - radius, "square": torch.maximum(u.abs(), v.abs()) - 0.86 * radius, "triangle": triangle,
               "star": -star, "ring": (length - 0.78 * radius).abs() - 0.24 * radius}
    return torch.stack([by_name[name] for name in words.SHAPES])


def trajectories(motion: Tensor, place: Tensor, radius: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """motion [n], place [n, 2], radius [n] -> x, y, radius and angle over time, each [n, frame]."""
    u = grid.time[None]
    x, y = (place[:, i, None].expand(-1, u.shape[1]).clone() for i in (0, 1))
    reach_x, reach_y = (edge - 1.05 * radius[:, None] for edge in (grid.half_width, grid.half_height))
    scale, angle = torch.ones_like(x), torch.zeros_like(x)

    def when(name: str, value: Tensor, otherwise: Tensor) -> Tensor:
        return torch.where(motion[:, None] == MOTION_NAMES.index(name), value, otherwise)

    across, circling = 0.95 * (2 * u - 1), 2 * math.pi * u
    x = when("right", across * reach_x, when("left", -across * reach_x, x))
    y = when("down", across * reach_y, when("up", -across * reach_y, y))
    y = when("bounce", reach_y - 1.55 * reach_y * (circling.sin()).abs(), y)
    angle = when("spin", 0.5 * circling, angle)
    scale = when("grow", 0.45 + 1.15 * u, when("shrink", 1.6 - 1.15 * u, scale))
    narrow = torch.where(place[:, 0, None].abs() > 0.3, 0.5, 1.0)  # beside another thing
    x = when("circle", x + 0.52 * narrow * circling.cos() * reach_x.clamp(max=1), x)
    y = when("circle", 0.52 * circling.sin() * reach_y.clamp(max=1), y)
    return x, y, radius[:, None] * scale, angle


def draw_things(scenes: list[Scene], grid: Grid) -> Tensor:
    """-> [n, 3, frame, row, column] in 0..1."""
    behind = grid.colours([words.BACKGROUNDS[scene.background] for scene in scenes])
    shade = 1.04 - 0.10 * (grid.y / grid.half_height * 0.5 + 0.5)
    image = (behind * shade).clamp(0, 1).expand(-1, -1, grid.frame_count, -1, grid.x.shape[-1]).clone()
    for order in (0, 1):
        at = [i for i, scene in enumerate(scenes) if len(scene.things) > order]
        if not at:
            continue
        things = [scenes[i].things[order] for i in at]
        pair = torch.tensor([len(scenes[i].things) == 2 for i in at], device=grid.device)
        radius = torch.tensor([2 * words.SIZES[t.size] * t.radius_factor for t in things], device=grid.device)
        radius = radius * torch.where(pair, 0.78, 1.0)
        place = torch.tensor([[t.place[0] * grid.half_width, t.place[1] * grid.half_height] for t in things], device=grid.device)
        motion = torch.tensor([MOTION_NAMES.index(t.motion) for t in things], device=grid.device)
        x, y, r, angle = (value[:, :, None, None] for value in trajectories(motion, place, radius, grid))
        distance = signed_distances(grid.x - x, grid.y - y, r.clamp_min(1e-3), angle)
        shape = torch.tensor([words.SHAPES.index(t.shape) for t in things], device=grid.device)
        cover = grid.cover(distance[shape, torch.arange(len(at), device=grid.device)])[:, None]
        light = 1.0 - 0.10 * ((grid.y - y) / r.clamp_min(1e-3)).clamp(-1, 1)[:, None]
        rows = torch.tensor(at, device=grid.device)
        image[rows] = image[rows] * (1 - cover) + cover * (grid.colours([words.COLOURS[t.colour] for t in things]) * light).clamp(0, 1)
    return image
