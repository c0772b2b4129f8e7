"""The places and times a clip is drawn at."""
import torch
from torch import Tensor


class Grid:
    """Pixel middles in units of half the shorter side (y down, 0 in the middle) and frames' times in 0..1."""

    def __init__(self, height: int, width: int, frame_count: int, device: torch.device):
        shorter = min(height, width)
        self.device, self.frame_count, self.pixel = device, frame_count, 2.0 / shorter
        self.half_width, self.half_height = width / shorter, height / shorter
        rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
        self.x = ((columns + 0.5 - width / 2) * self.pixel)[None, None, None, :]  # [1, 1, 1, column]
        self.y = ((rows + 0.5 - height / 2) * self.pixel)[None, None, :, None]  # [1, 1, row, 1]
        self.time = torch.arange(frame_count, device=device) / max(frame_count - 1, 1)  # [frame]

    def cover(self, distance: Tensor, softness: float = 1.0) -> Tensor:
        """Share of a pixel inside an edge at that signed distance."""
        return (0.5 - distance / (self.pixel * softness)).clamp(0, 1)

    def colours(self, rgb: list) -> Tensor:
        """Colours in 0..1 -> [n, 3, 1, 1, 1]."""
        return torch.tensor(rgb, device=self.device, dtype=torch.float32)[:, :, None, None, None]
