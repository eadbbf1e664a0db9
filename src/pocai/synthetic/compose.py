"""`compose`: from a seed to a made document, the one way in."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from pocai.errors import ConfigurationError
from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Split, faces
from pocai.synthetic.layouts import FAMILIES, HELD_OUT, Family
from pocai.synthetic.layouts.chance import pick
from pocai.synthetic.timetables import made

_FAMILY, _LOOK = 0x1A1, 0x1A2  # of the generators: which layout, and how it looks
STEP = 1 << 20  # between the seeds of schools that are tried for one document
TRIES = 200


def compose(seed: int, *, layouts: str = "train", split: Split = "train") -> Drawing:
    """The made document of a seed.

    ``layouts`` is "train" (families that are trained on), "test" (those held out) or the name of a family of
    `pocai.synthetic.layouts.FAMILIES`; ``split`` chooses the faces. Raises ConfigurationError for a family that is not
    there and where too few faces are installed.
    """
    family = _chosen(seed, layouts)
    for number in range(TRIES):
        week = made(seed + number * STEP, times=family.times, stage=family.stage)
        if family.accepts(week):
            return family.draw(week, faces(split), np.random.default_rng((seed, _LOOK, crc32(family.name.encode()))))
    raise ConfigurationError(f"layout {family.name!r} accepts none of {TRIES} timetables", mend="Choose another seed")


def _chosen(seed: int, layouts: str) -> Family:
    if layouts in FAMILIES:
        return FAMILIES[layouts]
    if layouts not in ("train", "test"):
        known = ", ".join(("train", "test", *sorted(FAMILIES)))
        raise ConfigurationError(f"there are no layouts named {layouts!r}", mend=f"Choose one of: {known}")
    families = [family for family in FAMILIES.values() if (family.name in HELD_OUT) == (layouts == "test")]
    rng = np.random.default_rng((seed, _FAMILY))
    return pick(rng, families, [family.weight for family in families])
