"""The golden cases: inputs and outputs of every part, computed in fp32 from the released 16-bit weights.

A case is a folder with case.json (kind, weights, settings, tolerance) and tensors.safetensors; test/golden/README.md lists the kinds.
"""
import copy
import json
import pathlib
import random

import torch
from torch import Tensor, nn

from . import safetensors_file
from .bank import encode_text
from .models.dit import KEY_BLOCK, QUERY_BLOCK, SelfAttention, by_token, int8_rows, kept_blocks, linear_attention
from .quant import dequant, int8_tiles, quantize_blocks
from .sampling import noise, sample, time_steps
from .stages.image_to_video import BOUNDARY, EXPERTS, with_first_frame
from .stages.lora import with_change
from .tokens import LENGTH, encode
from .world.render import render
from .world.scene import random_scene, sentence

DIT, QUANT, VAE, UMT5 = (f"../../../models/demo/demo-{name}.pth" for name in ("t2v", "t2v-quant", "vae", "umt5"))
HIGH, LOW = (f"../../../models/demo-i2v/demo-i2v-{name}-quant.pth" for name in EXPERTS)
LORAS = "../../../models/demo/loras"
TEXTS = ("A red ball bounces on a blue background", "on a white background, a small green triangle moves to the left.",
         "the sun sets over the sea at sunset", "A zebra, quite unknown;  here!")


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


class Cases:
    def __init__(self, folder: pathlib.Path, transformer: nn.Module, encoder: nn.Module, vae: nn.Module,
                 experts: list[nn.Module], loras: dict[str, dict[str, Tensor]]):
        """Models on the processor, in fp32, holding numbers that 16 bits can hold. `experts`: high and low, or none; `loras`: by name, as
        stages/lora.py keeps them."""
        self.experts, self.loras = experts, loras
        self.folder, self.transformer, self.encoder, self.vae = folder, transformer, encoder, vae
        self.text_width = encoder.token_embedding.weight.shape[1]

    def write(self, case: str, information: dict, tensors: dict[str, Tensor]) -> None:
        place = self.folder / case
        place.mkdir(parents=True, exist_ok=True)
        safetensors_file.save(str(place / "tensors.safetensors"), tensors)
        (place / "case.json").write_text(json.dumps(information, indent=1))

    def context(self, text: str) -> Tensor:
        return encode_text(self.encoder, [text], torch.device("cpu"))

    @torch.no_grad()
    def write_all(self) -> None:
        self.text_encoder()
        self.transformer_steps()
        self.attention()
        self.int8_products()
        self.sampler()
        self.autoencoder()
        self.clips()
        if len(self.experts) == len(EXPERTS):
            self.picture_clip()
        if self.loras:
            self.changed_clip(next(iter(self.loras)))

    def text_encoder(self) -> None:
        for number, text in enumerate(TEXTS):
            ids = torch.tensor([encode(text)], dtype=torch.int32)
            self.write(f"umt5-{number}", {"kind": "umt5", "weights": UMT5, "text": text, "text_len": LENGTH, "tolerance": 1e-4},
                       {"ids": ids, "context": self.context(text)})

    def transformer_steps(self) -> None:
        context, model = self.context(TEXTS[0]), self.transformer
        quantized = quantize_blocks(copy.deepcopy(model))
        for name, shape, timesteps, ratios in (("128x128x17", (1, 16, 5, 16, 16), (988.0,), ()),
                                               ("96x160x9", (1, 16, 3, 12, 20), (988.0, 852.0), (0.1, 0.7))):
            latents = noise(3, 0, shape).bfloat16().float()
            for timestep in timesteps:
                time = torch.tensor([timestep])
                velocity, int8 = model(latents, time, context), quantized(latents, time, context)
                self.write(f"dit-{name}-t{int(timestep)}", {"kind": "dit", "weights": DIT, "quantized": QUANT, "timestep": timestep,
                           "attention": "original", "tolerance": 1e-4, "int8_error": relative(int8, velocity)},
                           {"latents": latents, "context": context, "velocity": velocity, "velocity_int8": int8})
                for top_k in ratios if timestep > 900 else ():
                    velocity = model(latents, time, context, top_k)
                    SelfAttention.sage = True
                    sage = model(latents, time, context, top_k)
                    SelfAttention.sage = False
                    self.write(f"dit-{name}-t{int(timestep)}-sla{top_k}", {"kind": "dit", "weights": DIT, "timestep": timestep,
                               "attention": "sla", "topk": top_k, "tolerance": 2e-4, "sagesla_error": relative(sage, velocity)},
                               {"latents": latents, "context": context, "velocity": velocity, "velocity_sagesla": sage})

    def attention(self) -> None:
        """Calls with every intermediate, that keep one block of four and two of six; no block divides their lengths."""
        project = self.transformer.blocks[-1].self_attn.attn_op.local_attn.proj_l

        def sparse(queries: Tensor, keys: Tensor, keep: Tensor) -> Tensor:
            scores = queries @ keys.transpose(-1, -2) * 128**-0.5
            return torch.softmax(scores.masked_fill(~keep, float("-inf")), -1) @ v

        for length, top_k in ((197, 0.1), (325, 0.34)):
            torch.manual_seed(11)
            q, k, v = (torch.randn(1, 1, length, 128) for _ in range(3))
            keep = by_token(kept_blocks(q, k, top_k), q.shape[2])
            exact, linear = sparse(q, k, keep), project(linear_attention(q, k, v))
            sage = sparse(int8_rows(q, QUERY_BLOCK), int8_rows(k - k.mean(2, keepdim=True), KEY_BLOCK), keep)
            self.write(f"sla-{top_k}", {"kind": "sla", "topk": top_k, "block_q": QUERY_BLOCK, "block_k": KEY_BLOCK, "tolerance": 1e-4,
                       "sagesla_error": relative(sage, exact)}, {"q": q, "k": k, "v": v, "proj_weight": project.weight,
                       "proj_bias": project.bias, "sparse": exact, "sparse_sagesla": sage, "linear": linear, "out": exact + linear})

    def int8_products(self) -> None:
        for rows, outputs, inputs in ((130, 136, 256), (128, 128, 128), (1, 128, 512)):
            torch.manual_seed(rows)
            x, weight = torch.randn(rows, inputs).bfloat16(), (torch.randn(outputs, inputs) * 0.05).bfloat16()
            bias = torch.randn(outputs).bfloat16()
            x[0, 0] = 40.0
            (x_q, x_scale), (w_q, w_scale) = int8_tiles(x), int8_tiles(weight)
            out = dequant(x_q, x_scale) @ dequant(w_q, w_scale).t() + bias.float()
            self.write(f"int8-{rows}x{outputs}x{inputs}", {"kind": "int8_linear", "tolerance": 1e-5},
                       {"x": x, "weight": weight, "bias": bias, "x_q": x_q, "x_scale": x_scale, "w_q": w_q, "w_scale": w_scale, "out": out})

    def sampler(self) -> None:
        self.write("philox", {"kind": "noise", "seed": 42, "draws": 3, "tolerance": 2e-7},
                   {f"draw{draw}": noise(42, draw, (1, 16, 2, 5, 7)) for draw in range(3)})
        rows = [[sigma, steps, *time_steps(steps, sigma)] for sigma in (80, 200, 1600, 1) for steps in (1, 2, 3, 4)]
        self.write("time-steps", {"kind": "time_steps", "rows": rows, "tolerance": 1e-12}, {"none": torch.zeros(1)})

    def autoencoder(self) -> None:
        source = random.Random(2024)
        scene = random_scene(source, landscapes=0.0)
        frames = render([scene], 9, 64, 96)
        latents = self.vae.encode(frames)
        self.write("vae-encode", {"kind": "vae_encode", "weights": VAE, "caption": sentence(scene, source)[0], "tolerance": 1e-4},
                   {"frames": frames, "latents": latents})
        for name, given in (("vae-decode", latents), ("vae-decode-1", noise(9, 0, (1, 16, 1, 6, 6)))):
            self.write(name, {"kind": "vae_decode", "weights": VAE, "tolerance": 1e-4},
                       {"latents": given, "frames": self.vae.decode(given).clamp(-1, 1)})

    def clips(self) -> None:
        cases = {"sde4": ({"steps": 4}, 96, 17), "ode4": ({"steps": 4, "ode": True}, 96, 9),
                 "sde2-sigma200": ({"steps": 2, "sigma_max": 200.0}, 96, 9), "sde4-sla0.1": ({"steps": 4, "topk": 0.1}, 128, 17)}
        for name, (settings, side, count) in cases.items():
            self.clip(name, self.transformer, settings, side, count)

    def clip(self, name: str, transformer: nn.Module, settings: dict, side: int, count: int, **information) -> None:
        context = self.context(TEXTS[0])
        kept: list[tuple[Tensor, Tensor]] = []
        top_k, shape = settings.get("topk"), (1, 16, 1 + (count - 1) // 4, side // 8, side // 8)
        latents = sample(lambda x, t: transformer(x, t, context, top_k), shape, 7, settings["steps"],
                         settings.get("sigma_max", 80.0), settings.get("ode", False), kept=kept)
        frames = ((self.vae.decode(latents).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        self.write(f"t2v-{name}", {"kind": "t2v", "weights": DIT, "vae": VAE, "umt5": UMT5, "text": TEXTS[0], "seed": 7, "width": side,
                   "height": side, "num_frames": count, "settings": settings, "tolerance": {"latents": 5e-3, "frames_psnr_db": 40},
                   **information},
                   {"ids": torch.tensor([encode(TEXTS[0])], dtype=torch.int32), "latents": latents, "frames": frames,
                    "step0_x": kept[0][0], "step0_v": kept[0][1]})

    def changed_clip(self, name: str) -> None:
        """A clip of the transformer with a LoRA's change inside its weights."""
        strength = 0.6  # between those that it was trained at
        changed = with_change(copy.deepcopy(self.transformer), self.loras[name], strength)
        self.clip(f"lora-{name}", changed, {"steps": 4, "topk": 0.1}, 96, 9,
                  loras=[{"file": f"{LORAS}/{name}.safetensors", "strength": strength}])

    def picture_clip(self) -> None:
        """A clip that goes on from a drawn picture, with the pair's int8 layers as they ship. A sum that differs in its last bit can
        round to another int8 number, and each step begins where the one before ended: this very function, given latents of the
        picture that differ by a millionth, ends 2.4% elsewhere (0.9% after the first step with full attention). The frames hold
        it tighter."""
        source = random.Random(2025)
        scene = random_scene(source, landscapes=0.0, pairs=0.0, spread=0.25)
        text = sentence(scene, source)[0]
        context, experts = self.context(text), [quantize_blocks(copy.deepcopy(expert)) for expert in self.experts]
        picture = ((render([scene], 9, 96, 96)[:, :, :1] + 1) * 127.5).round().to(torch.uint8)
        clip = torch.cat([picture.float() / 127.5 - 1, torch.zeros(1, 3, 8, 96, 96)], 2)
        first = self.vae.encode(clip).bfloat16().float()
        kept: list[tuple[Tensor, Tensor]] = []
        latents = sample(lambda x, t: experts[float(t) < 1000 * BOUNDARY](with_first_frame(x, first), t, context, 0.1),
                         tuple(first.shape), 7, 4, 200.0, kept=kept)
        frames = ((self.vae.decode(latents).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        self.write("i2v-sde4-sla0.1", {"kind": "i2v", "weights": HIGH, "low": LOW, "vae": VAE, "umt5": UMT5, "text": text, "seed": 7,
                   "width": 96, "height": 96, "num_frames": 9, "boundary": BOUNDARY, "settings": {"steps": 4, "sigma_max": 200.0,
                   "topk": 0.1}, "tolerance": {"latents": 6e-2, "frames_psnr_db": 40}},
                   {"ids": torch.tensor([encode(text)], dtype=torch.int32), "picture": picture, "first": first, "latents": latents,
                    "frames": frames, "step0_v": kept[0][1]})
