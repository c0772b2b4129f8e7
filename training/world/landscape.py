"""Draws seas and hills with what happens over them: sun and moon, clouds, rain, snow, fireflies, waves, a rocket, a wheel, day
turning to night, and the camera's pan. As world/render.py: a batch at once, places in units of half the shorter side.
"""
import math
from collections.abc import Callable

import torch
from torch import Tensor

from . import words
from .grid import Grid
from .scene import Scene

DROP_COUNT, FLAKE_COUNT, FLY_COUNT, CLOUD_COUNT = 18, 22, 9, 3


class Group:
    """The batch's properties as tensors that broadcast over [n, frame, row, column] ([n, 3, ...] for colours)."""

    def __init__(self, scenes: list[Scene], grid: Grid):
        self.scenes, self.grid = scenes, grid
        progress = grid.time[None, None, :, None, None]
        # Day turning to night passes through sunset in the middle.
        self.turning = self.mask("dusk", "dawn")[:, None]
        self.late = torch.where(self.mask("dawn")[:, None], 1 - progress, progress)
        tables = []
        for part in range(4):
            def value(time: str) -> Tensor:
                rgb = words.SKIES[time][part]
                return grid.colours([rgb if isinstance(rgb, tuple) else (rgb, rgb, rgb)])

            own = torch.cat([value(scene.time) for scene in scenes])
            turned = value("day") * (1 - 2 * self.late).clamp_min(0) + value("night") * (2 * self.late - 1).clamp_min(0)
            turned = turned + value("sunset") * (1 - (2 * self.late - 1).abs())
            tables.append(torch.where(self.turning, turned, own))
        self.zenith, self.horizon_colour, self.light, self.body_colour = tables  # [n, 3, 1 or frame, 1, 1]
        self.horizon = 0.28 * grid.half_height
        pan = self.number(lambda scene: {"": 0.0, "left": -1.0, "right": 1.0}[scene.camera])
        # What the camera sees at a place x is the world at x + shift.
        self.shift = 0.8 * pan * (grid.time[None, :, None, None] - 0.5)
        self.x, self.y, self.u = grid.x + self.shift, grid.y, grid.time[None, :, None, None]
        self.phase = self.number(lambda scene: 0.7 * scene.seed)

    def number(self, value) -> Tensor:
        return torch.tensor([float(value(scene)) for scene in self.scenes], device=self.grid.device)[:, None, None, None]

    def mask(self, *events: str) -> Tensor:
        return torch.tensor([scene.event in events for scene in self.scenes], device=self.grid.device)[:, None, None, None]

    def scattered(self, count: int, salt: int) -> Tensor:
        """[n, count, 3] numbers in 0..1 that depend on the scenes' seeds alone (a low-discrepancy sequence, Roberts 2018)."""
        seed = torch.tensor([scene.seed * 17 + salt for scene in self.scenes], device=self.grid.device, dtype=torch.float64)
        steps = torch.tensor([0.8191725134, 0.6710436067, 0.5497004779], device=self.grid.device, dtype=torch.float64)
        index = torch.arange(1, count + 1, device=self.grid.device, dtype=torch.float64)
        return (((seed[:, None] * 31 + index)[..., None] * steps) % 1).float()


def over(image: Tensor, cover: Tensor, colour: Tensor) -> Tensor:
    """image [n, 3, f, h, w], cover [n, f, h, w]."""
    return image * (1 - cover[:, None]) + cover[:, None] * colour


def draw_landscapes(scenes: list[Scene], grid: Grid) -> Tensor:
    """-> [n, 3, frame, row, column] in 0..1."""
    group = Group(scenes, grid)
    height = ((group.y + grid.half_height) / (group.horizon + grid.half_height)).clamp(0, 1)[:, None]
    image = group.zenith * (1 - height) + group.horizon_colour * height
    image = image.expand(-1, -1, grid.frame_count, -1, grid.x.shape[-1]).clone()
    at_sea = group.number(lambda scene: scene.place == "sea").bool()
    image = draw_body(image, group, at_sea)
    image = draw_clouds(image, group, ~at_sea)
    image = draw_where(draw_rocket, image, group, "rocket")
    image = torch.where(at_sea[:, None], draw_sea(image, group), draw_hills(image, group))
    image = draw_where(draw_wheel, image, group, "wheel left", "wheel right")
    for event, draw in (("rain", draw_rain), ("snow", draw_snow), ("fireflies", draw_fireflies)):
        image = draw_where(draw, image, group, event)
    return image


def body_place(group: Group) -> tuple[Tensor, Tensor]:
    """Where the sun or the moon is: x [n, 1, 1, 1], y [n, frame, 1, 1]."""
    y = torch.full_like(group.u, -0.45 * group.grid.half_height).expand(len(group.scenes), -1, -1, -1)
    y = torch.where(group.mask("rises", "dawn"), group.horizon + 0.12 - 0.85 * group.u, y)
    y = torch.where(group.mask("sets", "dusk"), group.horizon - 0.73 + 0.85 * group.u, y)
    return 0.08 * (group.phase - 2.5), y


def draw_body(image: Tensor, group: Group, at_sea: Tensor) -> Tensor:
    x, y = body_place(group)
    distance = torch.hypot(group.x - x, group.y - y)
    shown = (at_sea | group.mask("dusk", "dawn")).float()
    glow = 0.35 * (-(distance - 0.2).clamp_min(0) * 4).exp() * shown
    return over((image + group.body_colour * glow[:, None]).clamp(0, 1), group.grid.cover(distance - 0.2) * shown, group.body_colour)


def draw_clouds(image: Tensor, group: Group, over_hills: Tensor) -> Tensor:
    direction = group.mask("clouds right").float() - group.mask("clouds left").float()
    colour = (0.25 + 0.75 * group.light) * (0.7 + 0.3 * group.horizon_colour)
    width = group.grid.half_width
    for cloud in group.scattered(CLOUD_COUNT, 1).unbind(1):
        across, up, size = (value[:, None, None, None] for value in cloud.unbind(1))
        radius, y = 0.16 + 0.10 * size, -group.grid.half_height * (0.40 + 0.40 * up)
        x = ((2 * across - 1) * width + direction * 0.9 * group.u + width) % (2 * width) - width
        cover = torch.zeros_like(image[:, 0])
        for side, drop, share in ((-0.9, 0.1, 0.70), (0.0, -0.15, 1.0), (0.9, 0.1, 0.75)):
            reach = torch.hypot(group.x - x - side * radius, (group.y - y - drop * radius) * 1.5)
            cover = torch.maximum(cover, group.grid.cover(reach - radius * share, 1.5))
        image = over(image, 0.85 * cover * over_hills, colour)
    return image


def draw_sea(image: Tensor, group: Group) -> Tensor:
    grid = group.grid
    rough = torch.where(group.mask("waves"), 5.0, 1.0)
    wave = 0.012 * rough * (9 / rough.sqrt() * group.x + group.phase + 2 * math.pi * group.u * rough.sqrt()).sin()
    depth = ((group.y - group.horizon) / max(grid.half_height - group.horizon, 0.1)).clamp(0, 1)
    ripple = 0.06 * (78 * (depth + 0.03).sqrt() - 4 * math.pi * group.u + 3 * rough.sqrt() * (2.2 * group.x + group.phase).sin()).sin()
    glint = 0.45 * (-(((group.x - body_place(group)[0]) / (0.14 + 0.25 * depth)) ** 2)).exp() * (0.55 + 6 * ripple)
    water = (group.zenith * 0.55 + group.horizon_colour * 0.18) * (1 - 0.35 * depth[:, None]) + ripple[:, None] * 0.8
    water = (water + group.body_colour * glint.clamp(0, 1)[:, None] * 0.6).clamp(0, 1)
    return over(image, grid.cover(group.horizon + wave - group.y), water)


def draw_hills(image: Tensor, group: Group) -> Tensor:
    for order, (height, waves, drop, rgb) in enumerate(((0.10, 2.2, 0.0, (0.35, 0.62, 0.30)), (0.13, 1.5, 0.22, (0.20, 0.48, 0.20)))):
        top = group.horizon + drop - height * (waves * group.x + group.phase + 2 * order).sin()
        image = over(image, group.grid.cover(top - group.y), group.grid.colours([rgb]) * group.light)
    return image


def own_colours(group: Group) -> Tensor:
    return group.grid.colours([words.COLOURS.get(scene.colour, (0.5, 0.5, 0.5)) for scene in group.scenes])


def draw_rocket(image: Tensor, group: Group) -> Tensor:
    """A body with a pointed nose and a flame, straight up from behind the horizon."""
    grid = group.grid
    y = group.horizon + 0.25 - 1.3 * group.u * grid.half_height
    across, along = grid.x.abs(), group.y - y
    narrow = 0.10 * ((along + 0.30) / 0.22).clamp(0, 1).sqrt()
    hull = torch.maximum(across - narrow, (along + 0.04).abs() - 0.26)
    length = 0.16 + 0.04 * (40 * group.u).sin()
    flame = torch.maximum(across - 0.07 * (1 - (along - 0.22) / length).clamp(0, 1), (along - 0.32).abs() - 0.11)
    image = over(image, grid.cover(flame), grid.colours([(1.0, 0.75, 0.25)]))
    return over(image, grid.cover(hull), own_colours(group))


def draw_wheel(image: Tensor, group: Group) -> Tensor:
    """A rim with four spokes that turns by as much as it rolls."""
    direction = group.mask("wheel right").float() - group.mask("wheel left").float()
    radius, x = 0.30, direction * (2 * group.u - 1) * (group.grid.half_width - 0.35)
    across, down = group.grid.x - x, group.y - (group.horizon + 0.22)
    angle = x / radius
    turned_x, turned_y = angle.cos() * across + angle.sin() * down, angle.cos() * down - angle.sin() * across
    length = torch.hypot(across, down)
    spokes = torch.maximum(torch.minimum(turned_x.abs(), turned_y.abs()) - 0.035, length - 0.27)
    wheel = torch.minimum((length - 0.26).abs() - 0.05, spokes)
    return over(image, group.grid.cover(wheel), own_colours(group) * (0.4 + 0.6 * group.light))


def falling(group: Group, count: int, speed: float) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Where each drop is, and how far it sways, by drop: [n, frame, 1, 1]."""
    out = []
    for drop in group.scattered(count, 2).unbind(1):
        across, start, own = (value[:, None, None, None] for value in drop.unbind(1))
        y = ((start + group.u * (1.5 + 0.5 * own) * speed) % 1 * 2 - 1) * group.grid.half_height
        out.append(((2 * across - 1) * group.grid.half_width, y, 0.05 * (2 * math.pi * (group.u + own)).sin()))
    return out


def draw_rain(image: Tensor, group: Group) -> Tensor:
    grid, image = group.grid, image * 0.85
    for x, y, _ in falling(group, DROP_COUNT, 0.7):
        streak = torch.maximum((grid.x - x).abs() - 0.02, (grid.y - y).abs() - 0.11)
        image = over(image, 0.75 * grid.cover(streak), grid.colours([(0.75, 0.85, 1.0)]))
    return image


def draw_snow(image: Tensor, group: Group) -> Tensor:
    grid = group.grid
    for x, y, sway in falling(group, FLAKE_COUNT, 0.25):
        image = over(image, 0.95 * grid.cover(torch.hypot(grid.x - x - sway, grid.y - y) - 0.055), grid.colours([(1.0, 1.0, 1.0)]))
    return image


def draw_fireflies(image: Tensor, group: Group) -> Tensor:
    grid = group.grid
    for fly in group.scattered(FLY_COUNT, 3).unbind(1):
        across, up, beat = (value[:, None, None, None] for value in fly.unbind(1))
        x = (1.6 * across - 0.8) * grid.half_width + 0.08 * (2 * math.pi * (group.u + beat)).sin()
        y = (0.1 + 0.7 * up) * grid.half_height + 0.05 * (2 * math.pi * (group.u + across)).cos()
        shine = (-(torch.hypot(grid.x - x, grid.y - y) / 0.05) ** 2).exp() * (0.6 + 0.4 * (2 * math.pi * (2 * group.u + beat)).sin())
        image = image + grid.colours([(0.95, 1.0, 0.35)]) * shine[:, None]
    return image


def draw_where(draw: Callable[[Tensor, Group], Tensor], image: Tensor, group: Group, *events: str) -> Tensor:
    """Draws only into the clips of these events: most have none of them."""
    at = [i for i, scene in enumerate(group.scenes) if scene.event in events]
    if at:
        rows = torch.tensor(at, device=image.device)
        image[rows] = draw(image[rows], Group([group.scenes[i] for i in at], group.grid))
    return image
