"""What every stage shares: the device and how it computes, the models' forms, the sizes of clips, the folder of checkpoints."""
import contextlib
import dataclasses
import json
import pathlib

import torch
from torch import nn

from . import processes, tokens
from .models.dit import WanModel
from .models.umt5 import TextEncoder
from .models.vae import RMSNorm, WanVAE


@dataclasses.dataclass(frozen=True)
class Form:
    """Sizes of the models; heads are of 128. `released` is what ships, `tiny` proves the way in minutes."""
    width: int = 256
    layers: int = 8
    expert_width: int = 128  # of each image-to-video expert
    expert_layers: int = 6
    vae_width: int = 16  # Wan2.1 has 96
    text_width: int = 256
    text_layers: int = 4


@dataclasses.dataclass(frozen=True)
class ClipSize:
    """Pixels and frames; `share` of the training steps; `clips` kept as latents; whether people are offered it."""
    width: int
    height: int
    frames: int
    share: float
    clips: int
    offered: bool = False

    @property
    def latents(self) -> tuple[int, int, int]:
        return 1 + (self.frames - 1) // 4, self.height // 8, self.width // 8

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}x{self.frames}"

    @property
    def tokens(self) -> int:
        frames, rows, columns = self.latents
        return frames * rows * columns // 4


RELEASED, TINY = Form(), Form(128, 2, 128, 1, 8, 64, 2)
# Most steps are of the default size; the others keep the model from being lost at them. A card has room for all that are wanted; on
# the processor only what is offered gets its steps.
CARD_SIZES = (
    ClipSize(128, 128, 17, 0.50, 24_000, True), ClipSize(96, 96, 17, 0.08, 8_000, True), ClipSize(64, 64, 17, 0.04, 8_000),
    ClipSize(224, 128, 17, 0.08, 6_000), ClipSize(128, 224, 17, 0.08, 6_000), ClipSize(192, 192, 17, 0.07, 4_000),
    ClipSize(256, 256, 17, 0.05, 3_000), ClipSize(128, 128, 33, 0.06, 6_000), ClipSize(128, 128, 49, 0.04, 4_000),
)
# Clips to begin with: more are made while the transformer is trained.
PROCESSOR_SIZES = (
    ClipSize(128, 128, 17, 0.40, 448, True), ClipSize(224, 128, 17, 0.25, 192, True), ClipSize(128, 224, 17, 0.25, 192, True),
    ClipSize(96, 96, 17, 0.07, 96, True), ClipSize(64, 64, 17, 0.03, 64),
)
TINY_SIZES = (ClipSize(32, 32, 5, 0.7, 12), ClipSize(48, 32, 9, 0.3, 8))


def read_weights(path: pathlib.Path) -> dict[str, torch.Tensor]:
    """A file of weights, in fp32."""
    return {name: value.float() for name, value in torch.load(path, map_location="cpu", weights_only=True).items()}


@dataclasses.dataclass
class Workshop:
    output: pathlib.Path
    device: torch.device
    form: Form
    sizes: tuple[ClipSize, ...]
    step_tokens: int  # video tokens in one training step of a transformer
    compiled: bool  # whether modules may be, where that pays
    seed: int = 0  # another one renders other clips
    begun_from: pathlib.Path | None = None  # weights that the transformer begins with
    experts: pathlib.Path | None = None  # checkpoints of an earlier pair, that the experts begin with
    published: dict = dataclasses.field(default_factory=dict)  # what the manifest of a finished model says it reaches

    def __post_init__(self) -> None:
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.output / "checkpoints"

    @property
    def tokenizer(self) -> pathlib.Path:
        """Where a finished model learned more words (stages/vocabulary.py)."""
        return self.checkpoints / "tokenizer.json"

    @property
    def on_card(self) -> bool:
        return self.device.type == "cuda"

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def compile(self, module: nn.Module, dynamic: bool = False) -> nn.Module:
        """The module with its forward compiled where that pays; whatever cannot be compiled runs as it is."""
        if self.compiled and self.on_card:
            torch._dynamo.config.suppress_errors = True
            torch._dynamo.config.cache_size_limit = 64
            module.compile(dynamic=dynamic)
        return module

    def compile_norms(self, vae: WanVAE) -> WanVAE:
        """Its norms are memory-bound, its convolutions the library's anyway. On the processor too: a training step of the whole VAE
        takes 0.56 s instead of 0.68."""
        for module in vae.modules():
            if self.compiled and isinstance(module, RMSNorm):
                module.compile(dynamic=True)
        return vae

    def computing(self, size: ClipSize) -> contextlib.AbstractContextManager:
        """Compiled code only for the commonest size: for every other one compiling would take longer than it saves."""
        if not self.compiled or not self.on_card or not hasattr(torch.compiler, "set_stance"):
            return contextlib.nullcontext()
        return torch.compiler.set_stance("default" if size == self.sizes[0] else "force_eager")

    def batch(self, size: ClipSize) -> int:
        return max(1, self.step_tokens // size.tokens)

    # Models, made anew; `load` fills one with what a stage left.
    def transformer(self) -> WanModel:
        form = self.form
        return WanModel(form.width, 4 * form.width, form.width // 128, form.layers, form.text_width).to(self.device)

    def expert(self) -> WanModel:
        form = self.form
        width = form.expert_width
        return WanModel(width, 4 * width, width // 128, form.expert_layers, form.text_width, in_channels=36).to(self.device)

    def text_encoder(self) -> TextEncoder:
        width = self.form.text_width
        return TextEncoder(len(tokens.PIECES), width, 2 * width, max(1, width // 64), self.form.text_layers).to(self.device)

    def vae(self) -> WanVAE:
        """Weights lie channels last: on the processor that makes a convolution four times as fast."""
        vae = WanVAE(self.form.vae_width).to(self.device)
        for parameter in vae.parameters():
            form = {5: torch.channels_last_3d, 4: torch.channels_last}.get(parameter.ndim)
            if form:
                parameter.data = parameter.data.contiguous(memory_format=form)
        return vae

    def load(self, model: nn.Module, name: str) -> nn.Module:
        """The averaged weights that the stage `name` left, frozen."""
        state = torch.load(self.checkpoints / f"{name}.pth", map_location=self.device, weights_only=True)
        model.load_state_dict(state["averaged"])
        return model.eval().requires_grad_(False)

    def take_model(self, folder: pathlib.Path, transformer: pathlib.Path | None) -> None:
        """Trains a finished model on: its tokenizer, text encoder and VAE stay, its transformer (or `transformer`, other
        weights of that form) is where training begins."""
        manifest = json.loads((folder / "manifest.json").read_text())
        tokens.take_pieces_of(self.tokenizer if self.tokenizer.exists() else folder / manifest["tokenizer"])
        for name, file in (("vae", manifest["vae"]), ("text-encoder", manifest["textEncoder"])):
            if processes.IS_FIRST and not self.done(name):
                torch.save({"averaged": read_weights(folder / file)}, self.checkpoints / f"{name}.pth")
        processes.wait()
        self.begun_from = transformer or folder / manifest["dit16"]
        self.published = manifest.get("follows", {})

    def keep_transformer(self) -> None:
        """What training would begin from is what ships, for a part that is trained beside it; one that was trained on in this
        folder stays."""
        if processes.IS_FIRST and self.begun_from and not self.done("transformer"):
            torch.save({"averaged": read_weights(self.begun_from)}, self.checkpoints / "transformer.pth")
        processes.wait()

    @property
    def released_transformer(self) -> str:
        """The student; where nothing was distilled, the transformer itself."""
        return "student" if self.done("student") else "transformer"

    def done(self, name: str) -> bool:
        return (self.checkpoints / f"{name}.pth").exists()
