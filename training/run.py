"""Makes the whole demo model: python -m training.run --minutes 25 --output DIR

Every stage gets its share of the minutes, leaves a checkpoint in DIR/checkpoints and is skipped when it is done; a run that was
stopped goes on where it was. The end is DIR/models and DIR/test/golden, which lie as in the project, DIR/report.json and DIR/sheet.png.

With --from MODEL only one part is trained, on from MODEL's: its transformer, or with --part decoder its VAE's decoder, with --part
vae its whole VAE (transformer, experts and LoRAs follow in the same DIR), with --part words the words of the world that it does not
know yet (transformer and experts follow); or, anew, with --part experts the image-to-video pair or with --part loras the LoRAs that
belong to it; with --part files nothing, and what lies in DIR is written again. Several processes may do that together, but for words:
torchrun --nproc-per-node 2 -m training.run --from models/demo --minutes 60 --output DIR --threads 1
"""
import argparse
import json
import pathlib
import signal
import sys
import time
from types import ModuleType

import torch

from . import processes
from .bank import Bank
from .export import export
from .follow import Studio, draw_sheet, follows, follows_picture, name_of
from .stages import autoencoder, decoder, distillation, image_to_video, lora, text_encoder, transformer, vae, vocabulary
from .stages.image_to_video import EXPERTS
from .workshop import CARD_SIZES, PROCESSOR_SIZES, RELEASED, TINY, TINY_SIZES, Workshop

# Shares of the minutes; what is missing to 1 is for making latents, measuring and exporting.
SHARES = {"vae": 0.36, "text-encoder": 0.03, "transformer": 0.30, "student": 0.09, "experts": 0.06, "loras": 0.02}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="for everything together; with --from, for the training alone")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for checkpoints, model and report")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="on the processor; 0: as PyTorch likes")
    parser.add_argument("--tiny", action="store_true", help="small models and clips: proves the way in a few minutes, draws nothing")
    parser.add_argument("--no-compile", dest="compiled", action="store_false", help="run every module as it is written")
    parser.add_argument("--from", dest="model", type=pathlib.Path, help="folder of a finished model, to train a part of it on")
    parser.add_argument("--part", choices=("transformer", "vae", "decoder", "experts", "loras", "words", "files"),
                        default="transformer", help="with --from: which one")
    parser.add_argument("--transformer", type=pathlib.Path, help="with --from: other weights to begin with, as before distillation")
    parser.add_argument("--experts", type=pathlib.Path,
                        help="with --part experts: an earlier DIR/checkpoints, to train its pair on instead of anew")
    parser.add_argument("--seed", type=int, default=0, help="of the clips: another one renders others than last time")
    parser.add_argument("--sentences", type=int, default=200,
                        help="how many the measurement takes; 0: the manifests say what the finished model's said")
    return parser.parse_args()


def workshop_of(options: argparse.Namespace) -> Workshop:
    if options.threads:
        torch.set_num_threads(options.threads)
    on_card = options.device.startswith("cuda")
    sizes = TINY_SIZES if options.tiny else CARD_SIZES if on_card else PROCESSOR_SIZES
    step_tokens = 64 if options.tiny else 320 * (192 if on_card else 32)
    form = TINY if options.tiny and not options.model else RELEASED
    workshop = Workshop(options.output, torch.device(options.device), form, sizes, step_tokens // processes.COUNT,
                        compiled=options.compiled, seed=options.seed)
    if options.model:
        workshop.take_model(options.model, options.transformer)
        workshop.experts = options.experts
    return workshop


class Report(dict):
    """What was measured, and how many seconds after the start each stage was done."""

    def __init__(self, **settings):
        super().__init__(settings)
        self.begun = time.monotonic()

    def say(self, stage: str) -> None:
        self[stage] = round(time.monotonic() - self.begun, 1)
        print(f"== {stage}: {self[stage]} s since the start", flush=True)


def make_all(workshop: Workshop, minutes: float, report: Report, tiny: bool) -> None:
    seconds = {stage: 60 * minutes * share for stage, share in SHARES.items()}
    vae.train(workshop, seconds["vae"])
    report["vae PSNR dB, unseen"] = round(vae.psnr(workshop, 4, 32, 32, 5) if tiny else vae.psnr(workshop), 2)
    print(f"VAE: {report['vae PSNR dB, unseen']} dB on unseen clips", flush=True)
    report.say("vae")
    text_encoder.train(workshop, seconds["text-encoder"])
    report.say("text encoder")
    banks = train_transformer(workshop, seconds["transformer"], report, with_first=True)
    distillation.train(workshop, seconds["student"], banks)
    report.say("student")
    image_to_video.train(workshop, seconds["experts"], banks)
    del banks
    lora.train(workshop, seconds["loras"])
    report.say("image to video and LoRAs")


def train_transformer(workshop: Workshop, seconds: float, report: Report, with_first: bool = False) -> list[Bank]:
    makers = transformer.makers(workshop, with_first)
    banks = transformer.make_banks(makers)
    report.say("latents")
    transformer.train(workshop, seconds, banks, None if workshop.on_card else transformer.Growth(banks, makers))
    report.say("transformer")
    return banks


def train_vae(workshop: Workshop, stage: ModuleType, seconds: float, report: Report, tiny: bool) -> None:
    """`stage` is decoder or autoencoder."""
    def measure(moment: str) -> None:
        if processes.IS_FIRST:
            report[f"unseen clips through the VAE, {moment}"] = measured = decoder.measure(workshop, 4 if tiny else 100)
            print(f"unseen clips through the VAE, {moment}: {measured}", flush=True)

    workshop.keep_transformer()
    measure("before")
    stage.train(workshop, seconds)
    measure("after")
    report.say("VAE")


def train_experts(workshop: Workshop, seconds: float, report: Report) -> None:
    workshop.keep_transformer()
    makers = transformer.makers(workshop, with_first=True)
    banks = transformer.make_banks(makers)
    report.say("latents")
    image_to_video.train(workshop, seconds, banks, transformer.Growth(banks, makers, image_to_video.NEW_CLIPS))
    report.say("image to video")


def measure(workshop: Workshop, options: argparse.Namespace, report: Report) -> tuple[dict, dict]:
    """What the two manifests say of the models, and a contact sheet."""
    studio, size = Studio(workshop), workshop.sizes[0]
    count = min(options.sentences, 4) if options.tiny else options.sentences
    forms = {name_of(size, steps, 0.1, count): steps for steps in (4, 1)}
    measured, from_pictures = workshop.published, {}
    if options.part not in ("experts", "loras"):
        measured = {f"{form} sentences": follows(studio, size, count, steps) for form, steps in forms.items()}
    if all(workshop.done(f"expert-{name}") for name in EXPERTS):
        from_pictures = {f"{form} pictures": follows_picture(studio, size, count, steps) for form, steps in forms.items()}
    print(json.dumps({**measured, **from_pictures}, indent=1), flush=True)
    report["sheet"] = draw_sheet(studio, str(workshop.output / "sheet.png"), size)
    report.say("measuring")
    return measured, from_pictures


def main() -> None:
    options = arguments()
    if processes.COUNT > 1 and (not options.model or options.device != "cpu" or options.part in ("words", "files")):
        sys.exit("Several processes only train a finished model on, but for its words, on the processor: give --from MODEL --device cpu.")
    processes.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; started again it goes on from here"))
    workshop = workshop_of(options)
    report = Report(device=options.device, minutes=options.minutes, processes=processes.COUNT)
    if options.model and options.part == "decoder":
        train_vae(workshop, decoder, 60 * options.minutes, report, options.tiny)
    elif options.model and options.part == "vae":
        train_vae(workshop, autoencoder, 60 * options.minutes, report, options.tiny)
    elif options.model and options.part == "experts":
        train_experts(workshop, 60 * options.minutes, report)
    elif options.model and options.part in ("loras", "words", "files"):
        workshop.keep_transformer()
        if options.part == "loras":
            lora.train(workshop, 60 * options.minutes)
        elif options.part == "words":
            vocabulary.train(workshop, 60 * options.minutes)
        report.say(options.part)
    elif options.model:
        train_transformer(workshop, 60 * options.minutes, report)
    else:
        make_all(workshop, options.minutes, report, options.tiny)
    if not processes.IS_FIRST:
        return

    measured, from_pictures = measure(workshop, options, report) if options.sentences else (workshop.published, {})
    export(workshop, measured, from_pictures)
    report.say("export")
    (workshop.output / "report.json").write_text(json.dumps({**report, "follows": {**measured, **from_pictures}}, indent=1))


if __name__ == "__main__":
    main()
