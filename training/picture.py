"""Writes a contact sheet: some frames of some clips as one PNG, with nothing but the standard library."""
import struct
import zlib

import torch
from torch import Tensor


def write_png(path: str, pixels: Tensor) -> None:
    """pixels uint8 [row, column, 3]."""
    height, width, _ = pixels.shape
    rows = torch.cat([torch.zeros(height, 1, dtype=torch.uint8), pixels.cpu().reshape(height, -1)], 1)  # filter 0 before each row
    raw = bytes(rows.flatten().tolist())

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    with open(path, "wb") as file:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))


def contact_sheet(path: str, clips: Tensor, frames_shown: int = 4, columns: int = 2) -> None:
    """clips [n, 3, frame, row, column] in [-1, 1]: each clip a strip of frames, `columns` strips side by side."""
    at = torch.linspace(0, clips.shape[2] - 1, frames_shown).long()
    strips = torch.cat(clips[:, :, at.to(clips.device)].unbind(2), -1)  # [n, 3, row, column * frames]
    strips = torch.nn.functional.pad(strips, (0, 0, 0, 0, 0, 0, 0, -len(strips) % columns), value=1.0)
    sheet = torch.cat([torch.cat(list(strips[i : i + columns]), 2) for i in range(0, len(strips), columns)], 1)
    write_png(path, ((sheet.permute(1, 2, 0).float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
