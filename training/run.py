"""Makes the whole demo model: python -m training.run --minutes 25 --output DIR

Every stage gets its share of the minutes, leaves a checkpoint in DIR/checkpoints and is skipped when it is done; a run that was
stopped goes on where it was. The end is DIR/model with all files and golden cases, DIR/report.json and DIR/sheet.png.
"""
import argparse
import json
import pathlib
import signal
import sys
import time

import torch

from .export import export
from .follow import Studio, draw_sheet, follows, name_of
from .stages import distillation, image_to_video, lora, text_encoder, transformer, vae
from .workshop import CARD_SIZES, PROCESSOR_SIZES, RELEASED, TINY, TINY_SIZES, Workshop

# Shares of the minutes; what is missing to 1 is for making latents, measuring and exporting.
SHARES = {"vae": 0.36, "text-encoder": 0.03, "transformer": 0.30, "student": 0.09, "experts": 0.06, "loras": 0.02}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="for everything together")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for checkpoints, model and report")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="on the processor; 0: as PyTorch likes")
    parser.add_argument("--tiny", action="store_true", help="small models and clips: proves the way in a few minutes, draws nothing")
    parser.add_argument("--no-compile", dest="compiled", action="store_false", help="run every module as it is written")
    parser.add_argument("--sentences", type=int, default=200, help="how many the measurement takes")
    return parser.parse_args()


def workshop_of(options: argparse.Namespace) -> Workshop:
    if options.threads:
        torch.set_num_threads(options.threads)
    on_card = options.device.startswith("cuda")
    sizes = TINY_SIZES if options.tiny else CARD_SIZES if on_card else PROCESSOR_SIZES
    step_tokens = 64 if options.tiny else 320 * (192 if on_card else 24)
    return Workshop(options.output, torch.device(options.device), TINY if options.tiny else RELEASED, sizes, step_tokens,
                    compiled=options.compiled and on_card)


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; started again it goes on from here"))
    workshop = workshop_of(options)
    begun, report = time.monotonic(), {"device": options.device, "minutes": options.minutes}
    seconds = {stage: 60 * options.minutes * share for stage, share in SHARES.items()}

    def said(stage: str) -> None:
        report[stage] = round(time.monotonic() - begun, 1)
        print(f"== {stage}: {report[stage]} s since the start", flush=True)

    vae.train(workshop, seconds["vae"])
    report["vae PSNR dB, unseen"] = round(vae.psnr(workshop, 4, 32, 32, 5) if options.tiny else vae.psnr(workshop), 2)
    print(f"VAE: {report['vae PSNR dB, unseen']} dB on unseen clips", flush=True)
    said("vae")
    text_encoder.train(workshop, seconds["text-encoder"])
    said("text encoder")
    banks = transformer.make_banks(workshop, with_first=True)
    said("latents")
    transformer.train(workshop, seconds["transformer"], banks)
    said("transformer")
    distillation.train(workshop, seconds["student"], banks)
    said("student")
    image_to_video.train(workshop, seconds["experts"], banks)
    del banks
    lora.train(workshop, seconds["loras"])
    said("image to video and LoRAs")

    studio, size = Studio(workshop), workshop.sizes[0]
    count = min(options.sentences, 4) if options.tiny else options.sentences
    measured = {name_of(size, steps, 0.1, count): follows(studio, size, count, steps) for steps in (4, 1)}
    print(json.dumps(measured, indent=1), flush=True)
    report["sheet"] = draw_sheet(studio, str(workshop.output / "sheet.png"), size)
    said("measuring")
    export(workshop, measured)
    said("export")
    (workshop.output / "report.json").write_text(json.dumps({**report, "follows": measured}, indent=1))


if __name__ == "__main__":
    main()
