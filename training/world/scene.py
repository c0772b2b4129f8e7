"""Scenes: what a clip shows, drawn at random, and the sentences that say it. Pictures are world/render.py's.

A sentence is made of segments, each with the role its words play, so that the text encoder's side task
(stages/text_encoder.py) needs no reading of sentences.
"""
import dataclasses
import random

from . import words

# Roles of a word: none, first object, second object, background, landscape.
NO_ROLE, FIRST, SECOND, BEHIND, LANDSCAPE = range(5)
ROLE_COUNT = 5


@dataclasses.dataclass(frozen=True)
class Thing:
    """One object; place as an offset from the middle in units of half the shorter side, y down."""
    shape: str
    colour: str
    size: str
    motion: str
    place: tuple[float, float]
    radius_factor: float


@dataclasses.dataclass(frozen=True)
class Scene:
    """Either things before a plain background, or a place with a time of day and an event."""
    background: str = ""
    things: tuple[Thing, ...] = ()
    place: str = ""
    time: str = ""
    event: str = ""
    camera: str = ""
    colour: str = ""
    seed: int = 0  # where the clouds, drops and flies are
    unsaid: frozenset[str] = frozenset()  # of time, background, motion and colour: what the sentence leaves out (brief.py)

    @property
    def is_landscape(self) -> bool:
        return self.place != ""

    @property
    def body(self) -> str:
        return "moon" if self.time == "night" else "sun"


def random_scene(source: random.Random, landscapes: float = 0.25, pairs: float = 0.22, spread: float = 0.02,
                 skies: int = 1) -> Scene:
    """`landscapes` and `pairs` are shares; `spread` is how far from its usual place a thing may be, and `skies` (8 at most) how
    many arrangements of clouds, drops and flies there are. A small spread and one sky make the clip almost a function of its
    sentence, which is what lets so small a model draw it in a single step."""
    if source.random() < landscapes:
        place = source.choice(list(words.PLACES))
        event = source.choice(words.EVENTS_OF[place])
        time = words.FIXED_TIMES.get(event) or source.choice(list(words.SKIES))
        colour = source.choice(list(words.COLOURS)) if "{colour}" in words.EVENTS[event] else ""
        camera = source.choice(("left", "right")) if source.random() < 0.15 else ""
        return Scene(place=place, time=time, event=event, camera=camera, colour=colour, seed=source.randrange(8) % skies)
    background = source.choice(list(words.BACKGROUNDS))
    count = 2 if source.random() < pairs else 1
    colours = source.sample([name for name in words.COLOURS if name != background], count)
    things = []
    for at in range(count):
        motion = source.choice(list(words.MOTIONS))
        shapes = [s for s in words.SHAPES if motion != "spin" or s not in words.ROUND_SHAPES]
        size = source.choice(list(words.SIZES)) if count == 1 else ""
        place = [source.uniform(-spread, spread), source.uniform(-spread, spread)]
        if count == 2:  # one on each side of what they share
            side = -1 if at == 0 else 1
            if motion in ("right", "left"):
                place[1] = 0.45 * side
            else:
                place[0] = 0.50 * side
        things.append(Thing(source.choice(shapes), colours[at], size, motion, tuple(place),
                            source.uniform(1 - spread / 4, 1 + spread / 4)))
    return Scene(background=background, things=tuple(things))


def with_article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def said_of(thing: Thing, unsaid: frozenset[str], source: random.Random) -> str:
    colour, motion = "" if "colour" in unsaid else thing.colour, source.choice(words.MOTIONS[thing.motion])
    name = with_article(" ".join(f"{thing.size} {colour} {thing.shape}".split()))
    return name if "motion" in unsaid else f"{name} {motion}"


def segments(scene: Scene, source: random.Random) -> list[tuple[str, int]]:
    """The sentence's parts in order, each with its role."""
    if scene.is_landscape:
        event = words.EVENTS[scene.event].format(body=scene.body, colour=scene.colour)
        event = with_article(event[2:]) if event.startswith("a ") else event
        parts = [(f"{event} {words.PLACES[scene.place]}", LANDSCAPE)]
        if scene.event not in ("dusk", "dawn") and "time" not in scene.unsaid:
            time = words.TIME_WORDS[scene.time]
            parts = [(time + ",", LANDSCAPE)] + parts if source.random() < 0.4 else parts + [(time, LANDSCAPE)]
        if scene.camera:
            parts += [("while", NO_ROLE), (words.CAMERAS[scene.camera], LANDSCAPE)]
        return parts
    said = [said_of(thing, scene.unsaid, source) for thing in scene.things]
    joined = [(said[0], FIRST)]
    if len(said) == 2:
        joined += [("and" if source.random() < 0.8 else "while", NO_ROLE), (said[1], SECOND)]
    if "background" in scene.unsaid:
        return joined
    behind = with_article(f"{scene.background} background")
    form = source.random()
    if form < 0.4:
        return joined + [(f"on {behind}", BEHIND)]
    if form < 0.6:
        return joined + [(f"in front of {behind}", BEHIND)]
    if form < 0.8:
        return joined[:-1] + [(joined[-1][0] + ",", joined[-1][1]), (f"{scene.background} background", BEHIND)]
    return [(f"on {behind},", BEHIND)] + joined


def sentence(scene: Scene, source: random.Random) -> tuple[str, list[int]]:
    """One way of saying it, and the role of each of its words."""
    parts = segments(scene, source)
    text = " ".join(part for part, _ in parts)
    roles = [role for part, role in parts for _ in part.split()]
    if source.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if source.random() < 0.5 else ""), roles


# What the text encoder's side task asks of a sentence: question -> its answers (0 is "not said").
QUESTIONS = {
    "place": ("", *words.PLACES), "background": ("", *words.BACKGROUNDS), "time": ("", *words.SKIES), "event": ("", *words.EVENTS),
    "camera": tuple(words.CAMERAS), "colour": ("", *words.COLOURS),
    **{f"{name}{number}": ("", *answers) for number in (1, 2)
       for name, answers in (("colour", words.COLOURS), ("shape", words.SHAPES), ("motion", words.MOTIONS))},
    "size1": tuple(words.SIZES),
}


def answers(scene: Scene) -> list[int]:
    """The scene's answer to every one of QUESTIONS, as its number."""
    given = {"place": scene.place, "background": scene.background, "time": scene.time, "event": scene.event, "camera": scene.camera,
             "colour": scene.colour}
    for number, thing in enumerate(scene.things, 1):
        given |= {f"colour{number}": thing.colour, f"shape{number}": thing.shape, f"motion{number}": thing.motion}
        if number == 1:
            given["size1"] = thing.size
    return [possible.index(given.get(question, "")) for question, possible in QUESTIONS.items()]
