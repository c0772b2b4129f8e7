"""Every landscape of the world as it should look, small, for test/follow/landscape.test.ts: which of them a clip is most like says whether
it shows its own sentence."""
import json
import pathlib
import random

import torch.nn.functional as F

from . import tokens
from .picture import contact_sheet
from .world import words
from .world.render import render
from .world.scene import Scene, sentence

SIDE, FRAMES_SHOWN = 32, 3


def landscapes() -> list[Scene]:
    """Every event of every place at every time that it can have, then a pan of the camera in each direction."""
    out, colours = [], list(words.COLOURS)
    for place, events in words.EVENTS_OF.items():
        for event in events:
            for time in [words.FIXED_TIMES[event]] if event in words.FIXED_TIMES else words.SKIES:
                colour = colours[len(out) % len(colours)] if "{colour}" in words.EVENTS[event] else ""
                out.append(Scene(place=place, time=time, event=event, colour=colour))
    pans = (Scene(place="sea", time="day", event="shines", camera="left"),
            Scene(place="hills", time="sunset", event="rain", camera="right"))
    return [*out, *pans]


def write(folder: pathlib.Path) -> None:
    """-> landscapes.png, a row of frames for each; landscapes.json, the sentences."""
    folder.mkdir(parents=True, exist_ok=True)
    source = random.Random(31)
    told = [(sentence(scene, source)[0], scene) for scene in landscapes()]
    told = [(text, scene) for text, scene in told if tokens.has_all_words(text)]
    clips = render([scene for _, scene in told], 17, 128, 128)
    small = F.avg_pool3d(clips, (1, 128 // SIDE, 128 // SIDE))
    contact_sheet(str(folder / "landscapes.png"), small, FRAMES_SHOWN, columns=1)
    (folder / "landscapes.json").write_text(json.dumps([text for text, _ in told], indent=2) + "\n")
