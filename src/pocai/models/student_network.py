"""The student: a compact convolution-attention recognizer with CTC, small enough to be trained on a CPU.

A residual trunk looks at strokes (He et al. 2016, arXiv:1512.03385), a short transformer mixes what stands side by
side, as SVTR does (Du et al. 2022, arXiv:2205.00159). The sequence is mixed at one vector for 8 pixels; the head gives
two vectors of scores for each, as narrow letters are not wider than 4.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pocai.models.ctc import CLASSES
from pocai.models.line_image import HEIGHT

STEP = 4  # pixels of a line for which the network gives one vector of scores
MULTIPLE = 16  # widths that the network takes are multiples of this many pixels
_FINE = 2  # vectors of scores for one place of the sequence
_POOLED = 16  # pixels of height that become one row before the rows are joined

Count = Annotated[int, Field(ge=1)]


class StudentConfig(BaseModel):
    """Channels of the stages, residual blocks in the last three, width, number and heads of the mixing layers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[Count, Count, Count, Count] = (16, 32, 64, 128)
    blocks: tuple[int, int, int] = (1, 1, 2)
    mixer: Count = 256
    layers: Count = 2
    heads: Count = 8
    dropout: float = Field(0.1, ge=0, lt=1)
    classes: Count = len(CLASSES)


class Residual(nn.Module):
    """Two 3 x 3 convolutions around which the input is led."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, (1, 1))
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, image: Tensor) -> Tensor:
        """``(N, C, H, W)`` in and out."""
        return torch.relu(image + self.norm(self.second(self.first(image))))


class Mixer(nn.Module):
    """A layer of a transformer (Vaswani et al. 2017) whose places are told by a convolution over five of them."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.neighbours = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.second_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: Tensor) -> Tensor:
        """``(N, T, width)`` in and out."""
        sequence = sequence + self.neighbours(sequence.transpose(1, 2)).transpose(1, 2)
        sequence = sequence + self.dropout(self._attend(self.norm(sequence)))
        fed = self.down(torch.relu(self.up(self.second_norm(sequence))))
        out: Tensor = sequence + self.dropout(fed)
        return out

    def _attend(self, sequence: Tensor) -> Tensor:
        lines, places, width = sequence.shape
        parts = self.query_key_value(sequence).reshape(lines, places, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(query @ key.transpose(2, 3) * (width // self.heads) ** -0.5, dim=-1)
        mixed: Tensor = self.out((weights @ value).transpose(1, 2).reshape(lines, places, width))
        return mixed


class StudentNetwork(nn.Module):
    """Line images ``(N, 1, 48, W)`` uint8, W a multiple of 16, to log-probabilities ``(N, W / 4, classes)``."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        stem, *stages = config.channels
        self.stem = _convolution(1, stem, (2, 2))
        strides = ((2, 2), (2, 1), (2, 2))
        parts: list[nn.Module] = []
        for (inputs, outputs), stride, blocks in zip(pairwise((stem, *stages)), strides, config.blocks, strict=True):
            parts += [_convolution(inputs, outputs, stride), *(Residual(outputs) for _ in range(blocks))]
        self.trunk = nn.Sequential(*parts)
        self.join = nn.Conv2d(stages[-1], config.mixer, (HEIGHT // _POOLED, 1), bias=False)
        self.join_norm = nn.BatchNorm2d(config.mixer)
        self.mixers = nn.Sequential(*(Mixer(config.mixer, config.heads, config.dropout) for _ in range(config.layers)))
        self.norm = nn.LayerNorm(config.mixer)
        self.head = nn.Linear(config.mixer, _FINE * config.classes)

    def forward(self, lines: Tensor) -> Tensor:
        """Log-probabilities of the classes (0: blank) at every step of the lines."""
        image = self.trunk(self.stem(lines.float() / 127.5 - 1))
        joined = torch.relu(self.join_norm(self.join(image)))
        scores = self.head(self.norm(self.mixers(joined.squeeze(2).transpose(1, 2))))
        fine = scores.reshape(scores.shape[0], -1, self.config.classes)
        return torch.log_softmax(fine.float(), dim=-1)


def _convolution(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
