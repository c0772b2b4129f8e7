"""Brief sentences, as people type them first: "a red ball bounces" says nothing of the background, "a star" next to nothing.

What a sentence leaves out is as usual in this world, always the same, so that a small network can know it.
"""
import dataclasses
import random

from . import words
from .scene import Scene

USUAL_COLOURS = {"ball": "red", "square": "blue", "triangle": "green", "star": "yellow", "ring": "purple"}
USUAL_BACKGROUNDS = ("white", "blue", "gray")  # the first one that no thing has
USUAL_MOTION = "bounce"
USUAL_TIMES = {"sets": "sunset", "fireflies": "night"}  # else by day, or by night where the moon is named
UNSAID = (("background",), ("background",), ("motion",), ("background", "motion"), ("background", "colour"),
          ("background", "motion", "colour"))


def brief(scene: Scene, source: random.Random) -> Scene:
    """A scene like this one whose sentence leaves something out."""
    if scene.is_landscape:
        names_moon = scene.time == "night" and "{body}" in words.EVENTS[scene.event]
        time = "night" if names_moon else USUAL_TIMES.get(scene.event, "day")
        return scene if scene.event in ("dusk", "dawn") else dataclasses.replace(scene, time=time, unsaid=frozenset({"time"}))
    things, unsaid = scene.things, frozenset({"background"})
    if len(things) == 1:
        thing, unsaid = things[0], frozenset(source.choice(UNSAID))
        things = (dataclasses.replace(thing, motion=USUAL_MOTION if "motion" in unsaid else thing.motion,
                                      colour=USUAL_COLOURS[thing.shape] if "colour" in unsaid else thing.colour),)
    taken = {thing.colour for thing in things}
    background = next(name for name in USUAL_BACKGROUNDS if name not in taken) if "background" in unsaid else scene.background
    return dataclasses.replace(scene, things=things, background=background, unsaid=unsaid)
