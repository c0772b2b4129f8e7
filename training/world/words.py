"""The words of the demo model's world and what they look like: colours in 0..1 RGB, sizes as radii, skies.

A colour's or a shape's name is also a word of the tokenizer (training/tokens.py collects them from here).
"""

COLOURS = {
    "red": (0.90, 0.12, 0.12), "green": (0.12, 0.70, 0.22), "blue": (0.12, 0.30, 0.90), "yellow": (0.98, 0.85, 0.12),
    "orange": (0.98, 0.52, 0.08), "purple": (0.55, 0.18, 0.75), "pink": (0.98, 0.50, 0.72), "cyan": (0.15, 0.82, 0.88),
    "white": (0.96, 0.96, 0.96), "black": (0.06, 0.06, 0.07),
}
BACKGROUNDS = {**COLOURS, "gray": (0.50, 0.50, 0.52)}
SHAPES = ("ball", "square", "triangle", "star", "ring")
ROUND_SHAPES = ("ball", "ring")  # nobody could see them spin

# Radius as a share of the frame's shorter side.
SIZES = {"": 0.19, "small": 0.13, "large": 0.27}

MOTIONS = {
    "right": ("moves to the right", "moves from left to right"),
    "left": ("moves to the left", "moves from right to left"),
    "up": ("moves up", "rises"),
    "down": ("moves down", "falls"),
    "bounce": ("bounces", "bounces up and down"),
    "spin": ("spins", "rotates"),
    "grow": ("grows",),
    "shrink": ("shrinks",),
    "circle": ("moves in a circle",),
    "still": ("stays still", "does not move"),
}

# Time of day -> (zenith, horizon, light on the ground, the body's colour).
SKIES = {
    "day": ((0.25, 0.52, 0.92), (0.75, 0.88, 0.98), 1.00, (1.00, 0.90, 0.45)),
    "sunset": ((0.25, 0.12, 0.42), (0.98, 0.52, 0.22), 0.60, (1.00, 0.72, 0.30)),
    "night": ((0.02, 0.03, 0.12), (0.10, 0.13, 0.32), 0.28, (0.96, 0.95, 0.85)),
}
TIME_WORDS = {"day": "by day", "sunset": "at sunset", "night": "at night"}

# What may happen over a landscape -> how it is said; {body} is the sun or the moon.
EVENTS = {
    "rises": "the {body} rises", "sets": "the {body} sets", "shines": "the {body} shines",
    "clouds left": "clouds drift to the left", "clouds right": "clouds drift to the right",
    "rain": "rain falls", "snow": "snow falls", "fireflies": "fireflies glow", "waves": "big waves roll",
    "rocket": "a {colour} rocket flies up", "wheel right": "a {colour} wheel rolls to the right",
    "wheel left": "a {colour} wheel rolls to the left", "dusk": "day turns to night", "dawn": "night turns to day",
}
PLACES = {"sea": "over the sea", "hills": "over green hills"}
EVENTS_OF = {
    "sea": ("rises", "sets", "shines", "rain", "snow", "waves", "rocket", "dusk", "dawn"),
    "hills": ("clouds left", "clouds right", "rain", "snow", "fireflies", "rocket", "wheel right", "wheel left", "dusk", "dawn"),
}
FIXED_TIMES = {"fireflies": "night", "dusk": "day", "dawn": "night"}  # of events that have one; dusk's and dawn's is their beginning
CAMERAS = {"": "", "left": "the camera pans to the left", "right": "the camera pans to the right"}

JOINING_WORDS = "a an the on in front of background and while to from over at by it with".split()
