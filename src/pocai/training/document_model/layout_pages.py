"""Tokens with their truth: made pages as arrays, written to files by several processes and read back whole."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocai.models.layout_tokens import MOST, ROLES, tokens_of
from pocai.synthetic.compose import compose
from pocai.synthetic.fonts import Split
from pocai.training.document_model.made_pages import MadePage, made_pages

NO_BLOCK = -1


@dataclass(frozen=True, slots=True)
class LayoutPage:
    """A page to learn from.

    ``letters``, ``facts``, ``places`` and ``cells`` as in `Tokens`; ``roles`` ``(N,)`` uint8 numbers of `ROLES`;
    ``members`` ``(M, 2)`` int32 pairs of a token and a block that it belongs to. ``known`` ``(N, 2)``: whether a
    token's role and its blocks are known; None where all are.
    """

    letters: NDArray[np.uint8]
    facts: NDArray[np.float32]
    places: NDArray[np.float32]
    cells: NDArray[np.int32]
    roles: NDArray[np.uint8]
    members: NDArray[np.int32]
    known: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.roles)

    def related(self) -> NDArray[np.bool_]:
        """Which tokens share a block ``(N, N)``."""
        blocks = int(self.members[:, 1].max()) + 1 if len(self.members) else 0
        belongs = np.zeros((len(self), blocks), np.float32)
        belongs[self.members[:, 0], self.members[:, 1]] = 1
        return belongs @ belongs.T > 0


def layout_page(made: MadePage, known: NDArray[np.bool_] | None = None) -> LayoutPage | None:
    """A made page as arrays, all of it known or as told; None for one without blocks, or with too many lines."""
    tokens = tokens_of(made.page)
    if not 0 < len(tokens) <= MOST or not any(truth.blocks for truth in made.truths):
        return None
    names = {block: number for number, block in enumerate(sorted({b for t in made.truths for b in t.blocks}))}
    members = [(number, names[block]) for number, truth in enumerate(made.truths) for block in sorted(truth.blocks)]
    roles = [ROLES.index(truth.role) for truth in made.truths]
    return LayoutPage(
        tokens.letters,
        tokens.facts,
        tokens.places,
        np.array(tokens.cells, np.int32),
        np.array(roles, np.uint8),
        np.array(members, np.int32).reshape(-1, 2),
        known,
    )


def known_of(page: LayoutPage) -> NDArray[np.bool_]:
    """What is known of a page, ``(N, 2)``."""
    return np.ones((len(page), 2), np.bool_) if page.known is None else page.known


def pages_of_seed(seed: int, *, layouts: str = "train", split: Split = "train", variants: int = 1) -> list[LayoutPage]:
    """The pages of the made document of a seed, each read in several ways."""
    drawing = compose(seed, layouts=layouts, split=split)
    stream = zlib.crc32(layouts.encode())
    made = [
        page
        for variant in range(variants)
        for page in made_pages(drawing, np.random.default_rng((seed, stream, variant)))
    ]
    return [page for page in map(layout_page, made) if page is not None]


def write_pages(file: Path, pages: Sequence[LayoutPage]) -> None:
    """Pages in one compressed file."""
    counts = np.array([len(page) for page in pages], np.int32)
    members = np.array([len(page.members) for page in pages], np.int32)
    columns: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(page, name) for page in pages])
        for name in ("letters", "facts", "places", "cells", "roles", "members")
    }
    columns["facts"] = columns["facts"].astype(np.float16)
    if any(page.known is not None for page in pages):
        columns["known"] = np.concatenate([known_of(page) for page in pages])
    part = file.with_name(f"{file.stem}.part.npz")
    np.savez_compressed(part, allow_pickle=False, counts=counts, member_counts=members, **columns)
    part.replace(file)


def read_pages(file: Path) -> list[LayoutPage]:
    """What `write_pages` wrote."""
    with np.load(file, allow_pickle=False) as columns:
        held = {name: columns[name] for name in columns.files}
    ends, member_ends = np.cumsum(held["counts"]), np.cumsum(held["member_counts"])
    pages = []
    for end, count, member_end, members in zip(ends, held["counts"], member_ends, held["member_counts"], strict=True):
        own, belonging = slice(end - count, end), slice(member_end - members, member_end)
        pages.append(
            LayoutPage(
                held["letters"][own],
                held["facts"][own].astype(np.float32),
                held["places"][own],
                held["cells"][own],
                held["roles"][own],
                held["members"][belonging],
                held["known"][own] if "known" in held else None,
            )
        )
    return pages
