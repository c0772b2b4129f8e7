"""The text encoder: every word must know which thing of the scene it belongs to and (less weight) all that the sentence says.

Frozen afterwards. Position biases need 50 times the rate of the rest: they are logits and must travel far.
"""
import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import tokens
from ..bank import WORDS
from ..loop import Loop
from ..workshop import Workshop
from ..world.scene import QUESTIONS, ROLE_COUNT, answers, random_scene, sentence


class Answering(nn.Module):
    """The encoder with two linear readers, which are thrown away afterwards."""

    def __init__(self, encoder: nn.Module, width: int):
        super().__init__()
        self.encoder = encoder
        self.answers = nn.Linear(width, sum(len(possible) for possible in QUESTIONS.values()))
        self.roles = nn.Linear(width, ROLE_COUNT)


def sentences(count: int, seed: int, device: torch.device, landscapes: float = 0.35) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids [count, WORDS], answers [count, question], roles [count, WORDS]."""
    source, ids, said, roles = random.Random(seed), [], [], []
    for _ in range(count):
        scene = random_scene(source, landscapes=landscapes)
        text, role_of_word = sentence(scene, source)
        role = [role_of_word[word] for _, word in tokens.pieces(text)]
        ids.append(tokens.encode(text)[:WORDS])
        said.append(answers(scene))
        roles.append((role + [0] * WORDS)[:WORDS])
    return tuple(torch.tensor(rows, device=device) for rows in (ids, said, roles))


def train(workshop: Workshop, seconds: float) -> None:
    torch.manual_seed(0)
    encoder = workshop.text_encoder()
    nn.init.normal_(encoder.token_embedding.weight, std=1.0)
    model = Answering(encoder, workshop.form.text_width).to(workshop.device)
    biases = [p for name, p in model.named_parameters() if "pos_embedding" in name]
    chosen = {id(p) for p in biases}
    maker = torch.optim.AdamW([{"params": [p for p in model.parameters() if id(p) not in chosen], "lr": 1e-3, "weight_decay": 0.01},
                               {"params": biases, "lr": 5e-2, "weight_decay": 0.0}], betas=(0.9, 0.98))
    loop = Loop(workshop, "text-encoder-answering", model, [maker], seconds, flat=0.4, averaging=0.99)
    known = sentences(40_000 if workshop.on_card else 12_000, 17, workshop.device)
    batch = 256 if workshop.on_card else 32

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        at = torch.randint(len(known[0]), (batch,), device=workshop.device)
        loss, right, bound = answer_losses(model, *(rows[at] for rows in known))
        return loss, {"loss": loss, "answers": right, "roles": bound}

    loop.run(losses)
    model.load_state_dict(loop.averaged)
    with torch.no_grad():
        _, right, bound = answer_losses(model, *sentences(1000, 18, workshop.device))
    print(f"text encoder on unseen sentences: answers {float(right):.3f}, roles {float(bound):.3f}", flush=True)
    torch.save({"averaged": model.encoder.state_dict()}, workshop.checkpoints / "text-encoder.pth")


def answer_losses(model: Answering, ids: Tensor, said: Tensor, roles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, and the shares of answers and roles that are right over all words."""
    valid = ids != 0
    words = model.encoder(ids, valid)[valid]
    loss, right = torch.zeros((), device=ids.device), []
    readings = model.answers(words).split([len(possible) for possible in QUESTIONS.values()], -1)
    for question, reading in enumerate(readings):
        wanted = said[:, question, None].expand(valid.shape)[valid]
        loss = loss + F.cross_entropy(reading, wanted) / len(readings)
        right.append((reading.argmax(-1) == wanted).float().mean())
    reading, wanted = model.roles(words), roles[valid]
    return F.cross_entropy(reading, wanted) + 0.3 * loss, torch.stack(right).mean(), (reading.argmax(-1) == wanted).float().mean()
