"""Captioned clips as latents, kept on the device: rendered and encoded once, so that no training step waits for either."""
import dataclasses
import random
from collections.abc import Callable

import torch
from torch import Tensor

from . import processes, tokens
from .models.umt5 import TextEncoder
from .models.vae import WanVAE
from .world.brief import brief
from .world.render import render
from .world.scene import Scene, Thing, random_scene, sentence
from .workshop import ClipSize, Workshop

SENTENCES = 3  # ways of saying each clip
LANDSCAPES = 0.3  # of the clips: each of their many events has to be seen often enough
PAIRS = 0.15  # of the clips
SMALL = 0.25  # of the clips, that show one small thing with corners or a hole: what is learned last. Not of image to video's (README.md)
BRIEF = 0.2  # of the clips, whose sentences leave something out
WORDS = 40  # rows of the context that are kept: the longest sentence has fewer pieces; the rest is zero
ZEROS = tokens.LENGTH - WORDS


@dataclasses.dataclass
class Bank:
    """latents [clip, 16, frame, row, column] and contexts [clip, sentence, WORDS, text width] in bf16; weights [clip, 1, ...];
    first [clip, 16, ...] are the latents of the first frame followed by black, for image to video."""
    size: ClipSize
    latents: Tensor
    contexts: Tensor
    weights: Tensor
    first: Tensor | None

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """`count` random clips: latents, contexts [count, WORDS, ...] without the ZEROS that follow, weights, first."""
        at = torch.randint(len(self.latents), (count,), device=self.latents.device)
        said = torch.randint(SENTENCES, (count,), device=self.latents.device)
        first = None if self.first is None else self.first[at].float()
        return self.latents[at].float(), self.contexts[at, said].float(), self.weights[at].float(), first

    def add(self, more: "Bank") -> None:
        """Takes the clips of another bank of this size and form."""
        for name in ("latents", "contexts", "weights", "first"):
            if (own := getattr(self, name)) is not None:
                setattr(self, name, torch.cat([own, getattr(more, name)]))


def object_weights(latents: Tensor, most: float = 8) -> Tensor:
    """[n, 16, ...] -> [n, 1, ...] with mean 1: more where a clip differs from its own middle value. Things are small; without
    this the background is nearly all of the loss and shapes are learned last."""
    latents = latents.float()
    middle = latents.flatten(2).median(-1).values[:, :, None, None, None]
    unusual = (latents - middle).square().mean(1, keepdim=True)
    weights = 0.4 + (unusual / (unusual.mean((2, 3, 4), keepdim=True) + 1e-6)).clamp(max=most)
    return weights / weights.mean((2, 3, 4), keepdim=True)


@torch.no_grad()
def encode_text(encoder: TextEncoder, texts: list[str], device: torch.device) -> Tensor:
    """-> [text, tokens.LENGTH, width], zero after the last token."""
    ids = torch.tensor([tokens.encode(text) for text in texts], device=device)
    longest = int((ids != 0).sum(1).max())
    context = encoder(ids[:, :longest], ids[:, :longest] != 0).float()
    return torch.nn.functional.pad(context, (0, 0, 0, tokens.LENGTH - longest))


def sayable_scene(source: random.Random, **openness: float) -> Scene:
    """A scene that the tokenizer has all words for: a finished model's may have fewer than the world. `openness`: landscapes,
    spread and skies of random_scene."""
    while True:
        scene = random_scene(source, **openness)
        if tokens.has_all_words(sentence(scene, source)[0]):
            return scene


def is_small(thing: Thing) -> bool:
    return thing.size == "small" and thing.shape != "ball"


class Maker:
    """Makes clips of one size for a bank, ever new ones. Several processes make different ones. `with_first`: for image to
    video, so things may be anywhere, since the first frame shows where. `restyle` changes the frames
    [n, 3, frame, row, column] in [-1, 1] before they are encoded (stages/lora.py)."""

    def __init__(self, workshop: Workshop, size: ClipSize, vae: WanVAE, encoder: TextEncoder, seed: int,
                 with_first: bool = False, restyle: Callable[[Tensor], Tensor] | None = None):
        self.workshop, self.size, self.vae, self.encoder = workshop, size, vae, encoder
        self.with_first, self.restyle = with_first, restyle
        self.openness = {"spread": 0.25, "skies": 8} if with_first else {}
        self.source = random.Random(seed + 10_000 * processes.NUMBER + 1_000_000 * workshop.seed)
        self.at_once = max(1, (64 if workshop.on_card else 2) * 128 * 128 * 17 // (size.width * size.height * size.frames))

    def scene(self) -> Scene:
        small = 0.0 if self.with_first else SMALL
        kinds = {"landscape": LANDSCAPES, "pair": PAIRS, "small": small, "any": 1 - LANDSCAPES - PAIRS - small}
        kind = self.source.choices(list(kinds), list(kinds.values()))[0]
        openness = {**self.openness, "landscapes": float(kind == "landscape"), "pairs": float(kind == "pair")}
        scene = sayable_scene(self.source, **openness)
        while kind == "small" and not is_small(scene.things[0]):
            scene = sayable_scene(self.source, **openness)
        return brief(scene, self.source) if self.source.random() < BRIEF else scene

    @torch.no_grad()
    def make(self, count: int) -> Bank:
        workshop, size = self.workshop, self.size
        latents, contexts, first = [], [], []
        for start in range(0, count, self.at_once):
            scenes = [self.scene() for _ in range(min(self.at_once, count - start))]
            frames = render(scenes, size.frames, size.height, size.width, workshop.device)
            frames = self.restyle(frames) if self.restyle else frames
            with workshop.autocast():
                latents.append(self.vae.encode(frames).bfloat16())
                if self.with_first:
                    frames[:, :, 1:] = 0
                    first.append(self.vae.encode(frames).bfloat16())
            texts = [sentence(scene, self.source)[0] for scene in scenes for _ in range(SENTENCES)]
            context = encode_text(self.encoder, texts, workshop.device)
            contexts.append(context[:, :WORDS].bfloat16().unflatten(0, (-1, SENTENCES)))
        kept = torch.cat(latents)
        weights = torch.cat([object_weights(part, 4 if self.with_first else 8).bfloat16() for part in kept.split(256)])
        return Bank(size, kept, torch.cat(contexts), weights, torch.cat(first) if self.with_first else None)


def scenes_of(count: int, seed: int, **shares: float) -> list[Scene]:
    source = random.Random(seed)
    return [random_scene(source, **shares) for _ in range(count)]
