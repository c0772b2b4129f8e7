"""A small network that reads the shape of a thing from one frame, and how far two frames look apart to it.

Squared and absolute errors prefer a blob to a star whose arms are a pixel off. What layers of a network that tells shapes apart see in
both does not (Zhang et al. 2018, with a network of this world's own). It reads frames as they are drawn and as the finished decoder
shows them, by the right name both, so it looks at what a decoder has left of the shape.
"""
import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import processes
from ..models.vae import WanVAE
from ..world import words
from ..world.render import render
from ..world.scene import Scene, random_scene
from ..workshop import Workshop

SIDE = 64  # of what it learns from, around a thing
DRAWN, DECODED = 160, 56  # clips
BATCH, STEPS, RATE = 64, 700, 3e-3


class Perception(nn.Module):
    def __init__(self):
        super().__init__()
        widths = (3, 16, 32, 64, 64)
        self.layers = nn.ModuleList(nn.Sequential(nn.Conv2d(a, b, 3, 1 if a == 3 else 2, 1), nn.GroupNorm(4, b), nn.SiLU())
                                    for a, b in zip(widths, widths[1:]))
        self.head = nn.Linear(widths[-1], len(words.SHAPES))

    def seen(self, frames: Tensor) -> list[Tensor]:
        """[n, 3, row, column] in [-1, 1] -> what each layer sees."""
        found = []
        for layer in self.layers:
            frames = layer(frames)
            found.append(frames)
        return found

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.seen(frames)[-1].amax((2, 3)))

    def distance(self, drawn: Tensor, wanted: Tensor) -> Tensor:
        """Of clips [1, 3, frame, row, column]: the mean squared difference of what the layers see, each place's made a unit."""
        def units(clip: Tensor) -> list[Tensor]:
            return [F.normalize(seen.float(), dim=1) for seen in self.seen(clip[0].transpose(0, 1))]

        with torch.no_grad():
            goal = units(wanted)
        return sum((a - b).square().sum(1).mean() for a, b in zip(units(drawn), goal)) / len(goal)


@torch.no_grad()
def things(workshop: Workshop, vae: WanVAE, source: random.Random) -> tuple[Tensor, Tensor]:
    """Frames of single things, cut out around them, and the numbers of their shapes."""
    found, shapes = [], []
    for number in range(DRAWN):
        scene: Scene = random_scene(source, landscapes=0.0, pairs=0.0, spread=0.25)
        clip = render([scene], 17, 128, 128, workshop.device)
        versions = [clip]
        if number < DECODED:
            with workshop.autocast():
                versions.append(vae.decode(vae.encode(clip)).float().clamp(-1, 1))
        unusual = (clip - clip.flatten(2).median(-1).values[..., None, None, None]).abs().amax(1)[0] > 0.3
        for frame in range(0, 17, 2):
            rows, columns = unusual[frame].nonzero(as_tuple=True)
            if len(rows) < 12:
                continue
            top, left = (max(0, min(128 - SIDE, int(at.float().mean()) - SIDE // 2 + source.randint(-6, 6))) for at in (rows, columns))
            for version in versions:
                found.append(version[0, :, frame, top : top + SIDE, left : left + SIDE].half())
                shapes.append(words.SHAPES.index(scene.things[0].shape))
    return torch.stack(found), torch.tensor(shapes)


def learn(workshop: Workshop, vae: WanVAE) -> Perception:
    """The same one in every process. Colours are exchanged at random, so that only the outline tells. Of unseen things it reads 94% as
    they are drawn, 81% as the decoder of that time showed them."""
    path = workshop.checkpoints / "perception.pth"
    torch.manual_seed(5)
    model = Perception().to(workshop.device)
    if processes.IS_FIRST and not path.exists():
        source = random.Random(77)
        frames, shapes = things(workshop, vae, source)
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
        for step in range(STEPS):
            chosen = torch.randint(len(frames), (BATCH,))
            batch = frames[chosen].float()[:, torch.randperm(3)] * source.choice((-1, 1))
            batch = batch.flip(-1) if step % 2 else batch
            loss = F.cross_entropy(model(batch), shapes[chosen].to(workshop.device))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if step % 100 == 99:
                print(f"perception: step {step + 1}, loss {float(loss.detach()):.3f}", flush=True)
        torch.save(model.state_dict(), path)
    processes.wait()
    model.load_state_dict(torch.load(path, map_location=workshop.device, weights_only=True))
    return model.requires_grad_(False)
