"""Does a clip show what its sentence says? Reads background, colour, shape and motion of a single thing from the frames.

The definitions are those of test/follow/seen.ts, which measures the built program; the shares compare.
"""
import math

import torch
from torch import Tensor

from .world import words
from .world.render import signed_distances
from .world.scene import Scene

PROPERTIES = ("background", "colour", "shape", "motion")
SIDE = 24  # outlines are compared as SIDE x SIDE bits


def said(scene: Scene) -> dict[str, str]:
    thing = scene.things[0]
    return {"background": scene.background, "colour": thing.colour, "shape": thing.shape, "motion": thing.motion}


def outline(mask: Tensor) -> Tensor | None:
    """mask [row, column] -> [SIDE, SIDE], its middle and its second moment made the same for all."""
    rows, columns = mask.nonzero(as_tuple=True)
    if len(rows) < 12:
        return None
    rows, columns = rows.double(), columns.double()
    middle = rows.mean(), columns.mean()
    reach = ((rows - middle[0]).square() + (columns - middle[1]).square()).mean().sqrt() * 2.2
    offsets = (torch.arange(SIDE, device=mask.device) + 0.5) / SIDE * 2 - 1
    at_row, at_column = ((c + offsets * reach).round().long() for c in middle)
    inside = ((at_row >= 0) & (at_row < mask.shape[0]))[:, None] & ((at_column >= 0) & (at_column < mask.shape[1]))[None]
    return mask[at_row.clamp(0, mask.shape[0] - 1)][:, at_column.clamp(0, mask.shape[1] - 1)] & inside


def templates() -> tuple[Tensor, list[str]]:
    """Outlines of every shape, turned by steps of ten degrees where turning shows: [n, SIDE, SIDE], names."""
    side = 4 * SIDE
    axis = (torch.arange(side) + 0.5 - side / 2) * 2 / side * 1.6
    found, names = [], []
    for number, shape in enumerate(words.SHAPES):
        for step in range(36 if shape not in words.ROUND_SHAPES else 1):
            distance = signed_distances(axis[None, :], axis[:, None], torch.tensor(1.0), torch.tensor(step * math.pi / 18))[number]
            found.append(outline(distance < 0))
            names.append(shape)
    return torch.stack(found), names


TEMPLATES, TEMPLATE_NAMES = templates()


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of bit pictures [..., SIDE, SIDE]."""
    return (a & b).sum((-1, -2)) / (a | b).sum((-1, -2)).clamp_min(1)


def seen(clip: Tensor) -> dict[str, str]:
    """clip [3, frame, row, column] in [-1, 1] -> what it shows; "" where it shows nothing."""
    frames = (clip.float().cpu().permute(1, 2, 3, 0) + 1) / 2
    borders = [frames[:, :2], frames[:, -2:], frames[:, :, :2], frames[:, :, -2:]]
    behind = torch.cat([border.reshape(-1, 3) for border in borders]).quantile(0.5, 0)
    background = nearest(behind, words.BACKGROUNDS)
    distance = (frames - behind).square().sum(-1).sqrt()
    top = distance.flatten().quantile(0.995)
    if top < 0.12:
        return {"background": background, "colour": "", "shape": "", "motion": ""}
    masks = distance > max(0.10, 0.45 * float(top))
    colour = nearest(frames[distance > max(0.10, 0.80 * float(top))].quantile(0.5, 0), words.COLOURS)
    votes: dict[str, float] = {}
    for mask in masks[::2]:
        bits = outline(mask)
        if bits is None:
            continue
        best: dict[str, float] = {}
        for name, value in zip(TEMPLATE_NAMES, overlap(bits[None], TEMPLATES).tolist()):
            best[name] = max(best.get(name, 0.0), value)
        for name, value in best.items():
            votes[name] = votes.get(name, 0.0) + value**4
    shape = max(votes, key=votes.get) if votes else ""
    return {"background": background, "colour": colour, "shape": shape, "motion": motion(masks)}


def nearest(rgb: Tensor, named: dict) -> str:
    return min(named, key=lambda name: float((torch.tensor(named[name]) - rgb).square().sum()))


def motion(masks: Tensor) -> str:
    """masks [frame, row, column] -> one of words.MOTIONS, or ""."""
    side, areas, places = min(masks.shape[1:]), [], []
    for mask in masks:
        at = mask.nonzero().double()
        if len(at) >= 6:
            areas.append(len(at))
            places.append(at.mean(0) / side)
    if len(areas) < 4:
        return ""
    area, (y, x) = torch.tensor(areas).double(), torch.stack(places).unbind(1)
    (dx, sx), (dy, sy) = ((float(v[-3:].median() - v[:3].median()), float(v.max() - v.min())) for v in (x, y))
    if sx > 0.12 and sy > 0.12 and min(sx, sy) > 0.45 * max(sx, sy):
        return "circle"
    if sx > 0.14 and sx > 2 * sy and abs(dx) > 0.6 * sx:
        return "right" if dx > 0 else "left"
    if sy > 0.14 and sy > 2 * sx:
        return ("down" if dy > 0 else "up") if abs(dy) > 0.7 * sy else "bounce"
    growth = float(area[-3:].median() / area[:3].median())
    if growth > 1.6 or growth < 1 / 1.6:
        return "grow" if growth > 1 else "shrink"
    bits = [found for mask in masks if (found := outline(mask)) is not None]
    if len(bits) <= 4:
        return "still"
    return "spin" if float(overlap(torch.stack(bits[:-3]), torch.stack(bits[3:])).mean()) < 0.86 else "still"


def shares(pairs: list[tuple[dict[str, str], dict[str, str]]]) -> dict[str, float]:
    """Of (said, seen): the share that is right, by property."""
    return {name: round(sum(a[name] == b[name] for a, b in pairs) / len(pairs), 3) for name in PROPERTIES}
