"""Writes safetensors files: an 8-byte length, a JSON header, then the tensors' bytes, the widest numbers first."""
import json
import struct

import torch
from torch import Tensor

DTYPE_NAMES = {torch.float64: "F64", torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
               torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def tensor_bytes(tensor: Tensor) -> bytearray:
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    out = bytearray(flat.numel())
    if out:
        torch.frombuffer(out, dtype=torch.uint8).copy_(flat)
    return out


def save(path: str, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    header, bodies, at = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in sorted(tensors.items(), key=lambda entry: (-entry[1].element_size(), entry[0])):
        body = tensor_bytes(tensor)
        header[name] = {"dtype": DTYPE_NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(body)]}
        bodies.append(body)
        at += len(body)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for body in bodies:
            file.write(body)
