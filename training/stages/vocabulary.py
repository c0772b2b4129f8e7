"""More words for a finished model: only their own rows of the text encoder's table are trained, so that sentences without them have
the contexts that they had, and whatever was trained for these (image-to-video pair, LoRAs) stays right.

The side task is stages/text_encoder.py's, its readers made anew and thrown away again.
"""
import torch
from torch import Tensor, nn

from .. import tokens
from ..loop import Loop
from ..workshop import Workshop
from .text_encoder import Answering, answer_losses, sentences

SHARE_OF_LANDSCAPES = 0.7  # what is new in the world happens there
RATE = 1e-2  # rows of unit deviation that have to travel like those beside them


class MoreWords(nn.Module):
    """A table whose first rows are frozen."""

    def __init__(self, known: Tensor, count: int):
        super().__init__()
        self.register_buffer("known", known)
        self.more = nn.Parameter(torch.randn(count, known.shape[1], device=known.device))

    @property
    def weight(self) -> Tensor:
        return torch.cat([self.known, self.more])

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.weight)


def train(workshop: Workshop, seconds: float) -> None:
    """-> checkpoints/text-encoder.pth with more rows, checkpoints/tokenizer.json."""
    torch.manual_seed(0)
    encoder = workshop.load(workshop.text_encoder(), "text-encoder")
    known = tokens.add_missing_pieces()
    added = len(tokens.PIECES) - known
    if not added:
        print("words: all are known", flush=True)
        return
    encoder.token_embedding = table = MoreWords(encoder.token_embedding.weight.detach(), added)
    model = Answering(encoder, workshop.form.text_width).to(workshop.device)
    trained = [p for p in model.parameters() if p.requires_grad]
    maker = torch.optim.AdamW(trained, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    loop = Loop(workshop, "words-answering", model, [maker], seconds, averaging=0.99)
    learned = sentences(40_000 if workshop.on_card else 12_000, 17, workshop.device, SHARE_OF_LANDSCAPES)

    def losses(step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        at = torch.randint(len(learned[0]), (256 if workshop.on_card else 32,), device=workshop.device)
        loss, right, bound = answer_losses(model, *(rows[at] for rows in learned))
        return loss, {"loss": loss, "answers": right, "roles": bound}

    loop.run(losses)
    model.load_state_dict(loop.averaged)
    with torch.no_grad():
        _, right, bound = answer_losses(model, *sentences(1000, 18, workshop.device, SHARE_OF_LANDSCAPES))
    print(f"{added} more words; unseen sentences: answers {float(right):.3f}, roles {float(bound):.3f}", flush=True)
    whole = workshop.text_encoder()
    kept = {name: value for name, value in encoder.state_dict().items() if not name.startswith("token_embedding.")}
    whole.load_state_dict({**kept, "token_embedding.weight": table.weight.detach()})
    torch.save({"averaged": whole.state_dict()}, workshop.checkpoints / "text-encoder.pth")
    tokens.save(str(workshop.tokenizer))
