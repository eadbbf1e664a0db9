"""The layout transformer: tokens of a page in, a role for each and a relation for each pair out.

Self-attention whose scores get a bias from how two tokens lie to each other (relative attention in two dimensions, as
in LayoutLMv2, Xu et al. 2021, arXiv:2012.14740, but from continuous distances instead of buckets). One relation is
enough to rebuild a timetable: whether two lines belong to a common block. Between an event and its note it is a group,
between an event and a day or a time label it is a pointer.
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pocai.models.ctc import CLASSES
from pocai.models.layout_tokens import FACTS, FIELDS, ROLES

PAIR = 14  # numbers that say how two tokens lie to each other


class LayoutConfig(BaseModel):
    """The size of a layout transformer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(160, ge=8, description="numbers that stand for a token")
    layers: int = Field(5, ge=1)
    heads: int = Field(8, ge=1)
    inner: int = Field(448, ge=8, description="width of the layers inside a block")
    letter: int = Field(40, ge=4, description="numbers that stand for a letter")
    text: int = Field(128, ge=8, description="numbers that stand for a text")
    pair: int = Field(24, ge=4, description="numbers that stand for a pair of tokens")
    relation: int = Field(64, ge=4, description="numbers of a token that are compared for the relation")
    dropout: float = Field(0.05, ge=0, lt=1)


class LayoutNetwork(nn.Module):
    """Scores of roles ``(B, N, 13)`` and of pairs ``(B, N, N)``, the latter symmetric; both are logits.

    Inputs: ``letters`` ``(B, N, 24)`` int64, ``facts`` ``(B, N, 43)`` and ``places`` ``(B, N, 8)`` float32, ``cells``
    ``(B, N)`` int64 (-1: none), ``filled`` ``(B, N)`` bool, false where a page has fewer tokens than its batch.
    """

    def __init__(self, config: LayoutConfig) -> None:
        super().__init__()
        self.config = config
        self.letters = nn.Embedding(len(CLASSES) + 1, config.letter, padding_idx=0)
        self.text = nn.Conv1d(config.letter, config.text, 3, padding=1)
        self.join = nn.Linear(config.text + FACTS + FIELDS, config.width)
        self.lies = nn.Sequential(
            nn.Linear(PAIR, config.pair), nn.GELU(), nn.Linear(config.pair, config.pair), nn.GELU()
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.role = nn.Linear(config.width, len(ROLES))
        self.one = nn.Linear(config.width, config.relation)
        self.other = nn.Linear(config.width, config.relation)
        self.near = nn.Linear(config.pair, 1)

    def forward(
        self, letters: Tensor, facts: Tensor, places: Tensor, cells: Tensor, filled: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        pages, tokens, count = letters.shape
        read = self.letters(letters).reshape(pages * tokens, count, -1).transpose(1, 2)
        read = torch.relu(self.text(read)).amax(dim=2).reshape(pages, tokens, -1)
        page = self.join(torch.cat((read, facts, squashed(places)), dim=2))
        lies = self.lies(pairs(places, cells))
        hidden = torch.where(filled, 0.0, -1e4)[:, None, None, :]
        for block in self.blocks:
            page = block(page, lies, hidden)
        page = self.norm(page)
        one, other = self.one(page), self.other(page)
        alike = one @ other.transpose(1, 2) / math.sqrt(self.config.relation)
        related = alike + alike.transpose(1, 2)
        near = self.near(lies).squeeze(3)
        return self.role(page), related + near + near.transpose(1, 2)


class Block(nn.Module):
    """Attention with a bias from how tokens lie, then two layers for each token; normalised before (pre-norm)."""

    def __init__(self, config: LayoutConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.bias = nn.Linear(config.pair, config.heads)
        self.out = nn.Linear(config.width, config.width)
        self.second_norm = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, config.inner)
        self.down = nn.Linear(config.inner, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, page: Tensor, lies: Tensor, hidden: Tensor) -> Tensor:
        """``page`` ``(B, N, width)``, ``lies`` ``(B, N, N, pair)``, ``hidden`` added to the scores of padding."""
        pages, tokens, width = page.shape
        split = self.query_key_value(self.norm(page)).reshape(pages, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        bias = self.bias(lies).permute(0, 3, 1, 2) + hidden
        scores = query @ key.transpose(2, 3) / math.sqrt(width // self.heads) + bias
        mixed = torch.softmax(scores, dim=3) @ value
        page = page + self.dropout(self.out(mixed.transpose(1, 2).reshape(pages, tokens, width)))
        inner = nn.functional.gelu(self.up(self.second_norm(page)))
        added: Tensor = page + self.dropout(self.down(inner))
        return added


def squashed(distances: Tensor) -> Tensor:
    """Distances in heights of text, far ones compressed: about 1 for 50."""
    return torch.sign(distances) * torch.log1p(distances.abs()) / 4


def pairs(places: Tensor, cells: Tensor) -> Tensor:
    """How each token lies to each other one, ``(B, N, N, 14)``: distances of sides and middles, overlaps, same cell."""
    left, top, right, bottom, cell_left, cell_top, cell_right, cell_bottom = places.unbind(dim=2)
    distances = torch.stack(
        [_apart(side) for side in (left, (left + right) / 2, right, top, (top + bottom) / 2, bottom)],
        dim=3,
    )
    shared = torch.stack(
        (
            _common(left, right),
            _common(top, bottom),
            _common(cell_left, cell_right),
            _common(cell_top, cell_bottom),
            _inside((left + right) / 2, cell_left, cell_right),
            _inside((top + bottom) / 2, cell_top, cell_bottom),
            ((cells[:, :, None] == cells[:, None, :]) & (cells[:, :, None] >= 0)).to(places.dtype),
            ((cells[:, :, None] >= 0) & (cells[:, None, :] >= 0)).to(places.dtype),
        ),
        dim=3,
    )
    return torch.cat((squashed(distances), shared), dim=3)


def _apart(side: Tensor) -> Tensor:
    return side[:, None, :] - side[:, :, None]


def _common(low: Tensor, high: Tensor) -> Tensor:
    """What two stretches have in common, as a share of the shorter one; below 0 by how far they lie apart."""
    common = torch.minimum(high[:, :, None], high[:, None, :]) - torch.maximum(low[:, :, None], low[:, None, :])
    length = (high - low).clamp_min(0.1)
    return (common / torch.minimum(length[:, :, None], length[:, None, :])).clamp(-1, 1)


def _inside(middle: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Whether the middle of one token lies in the cell of the other."""
    between = (middle[:, :, None] >= low[:, None, :]) & (middle[:, :, None] <= high[:, None, :])
    return between.to(middle.dtype)
