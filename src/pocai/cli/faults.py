"""A fault of pocai itself, told without its message, which may hold text of the document."""

from __future__ import annotations

import traceback
from pathlib import Path

from pocai.errors import PocaiError


def fault(error: Exception) -> PocaiError:
    """An error that nobody raised on purpose, by its type and place."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return PocaiError(f"a fault in pocai ({type(error).__name__} at {where})", mend="Please report it")
